"""Pytrees: nested containers of arrays, flattened to a list of leaves and back.

Tuples, lists, dicts, ordered dicts, named tuples and ``None`` are nodes; anything else is a
leaf unless it is registered. The work is done by ``optree``.

>>> from functorch_like import tree
>>> tree.map(lambda x: 2 * x, {"w": 1.0, "b": (2.0, 3.0)})
{'w': 2.0, 'b': (4.0, 6.0)}
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
import optree

from .primitives.core import Tracer

__all__ = [
    "PyTreeDef",
    "flatten",
    "leaves",
    "map",
    "map_with_path",
    "reduce",
    "register_dataclass",
    "register_node",
    "register_node_class",
    "structure",
    "transpose",
    "unflatten",
]

NAMESPACE = "functorch_like"
PyTreeDef = optree.PyTreeSpec

LEAF: PyTreeDef = optree.tree_structure(cast(Any, 0), namespace=NAMESPACE)
_LEAF_TYPES = frozenset({np.ndarray, np.float64, np.float32, float, int, complex})


def is_array_leaf(x: Any) -> bool:
    """Whether ``x`` is for certain a leaf: the fast path of ``flatten``."""
    return type(x) in _LEAF_TYPES or isinstance(x, Tracer)


def flatten(tree: Any) -> tuple[list[Any], PyTreeDef]:
    """Leaves of a pytree, in a fixed order, and its structure."""
    if is_array_leaf(tree):
        return [tree], LEAF
    if not _connected and "scipy.sparse" in sys.modules:
        _connect_sparse()
    leaves, treedef = optree.tree_flatten(tree, namespace=NAMESPACE)
    return leaves, treedef


_connected: list[bool] = []


def _connect_sparse() -> None:
    """Make SciPy's sparse arrays pytrees, as soon as somebody has imported them."""
    if "csr_array" in vars(sys.modules["scipy.sparse"]):  # its import is complete
        _connected.append(True)
        importlib.import_module("functorch_like.scipy.sparse")


def unflatten(treedef: PyTreeDef, leaves: Iterable[Any]) -> Any:
    """The pytree of a structure with the given leaves."""
    if treedef is LEAF:
        (leaf,) = leaves
        return leaf
    return treedef.unflatten(leaves)


def leaves(tree: Any) -> list[Any]:
    """Leaves of a pytree."""
    return flatten(tree)[0]


def structure(tree: Any) -> PyTreeDef:
    """Structure of a pytree."""
    return flatten(tree)[1]


def map(function: Callable, tree: Any, *rest: Any) -> Any:
    """Apply ``function`` to corresponding leaves of pytrees of one structure."""
    return optree.tree_map(function, tree, *rest, namespace=NAMESPACE)


def map_with_path(function: Callable, tree: Any, *rest: Any) -> Any:
    """Like ``map``; ``function`` gets the path to the leaf first."""
    return optree.tree_map_with_path(function, tree, *rest, namespace=NAMESPACE)


def reduce(function: Callable, tree: Any, *initial: Any) -> Any:
    """Fold the leaves with a binary function."""
    return optree.tree_reduce(function, tree, *initial, namespace=NAMESPACE)


def transpose(outer: PyTreeDef, inner: PyTreeDef, tree: Any) -> Any:
    """Turn a tree of trees inside out."""
    return optree.tree_transpose(outer, inner, tree)


def register_node(cls: type, flatten: Callable, unflatten: Callable) -> type:
    """Make ``cls`` a node.

    Parameters
    ----------
    cls
        The class.
    flatten
        ``flatten(node) -> (children, metadata)``.
    unflatten
        ``unflatten(metadata, children) -> node``.
    """
    optree.register_pytree_node(cls, flatten, unflatten, namespace=NAMESPACE)
    return cls


def register_node_class(cls: type) -> type:
    """Make a class with ``tree_flatten`` and ``tree_unflatten`` a node (class decorator)."""
    return register_node(cls, lambda node: node.tree_flatten(), cls.tree_unflatten)  # type: ignore[attr-defined]


def register_dataclass(cls: type, static: Iterable[str] = ()) -> type:
    """Make a dataclass a node; fields named in ``static`` belong to the structure."""
    import dataclasses

    static = tuple(static)
    names = tuple(f.name for f in dataclasses.fields(cls) if f.name not in static)  # type: ignore[arg-type]

    def flatten_fields(node: Any) -> tuple[tuple, tuple, tuple]:
        values = tuple(getattr(node, name) for name in names)
        return values, tuple(getattr(node, name) for name in static), names

    def unflatten_fields(metadata: tuple, children: Iterable[Any]) -> Any:
        node: Any = object.__new__(cls)
        for name, value in zip((*names, *static), (*children, *metadata), strict=True):
            object.__setattr__(node, name, value)
        return node

    optree.register_pytree_node(
        cls, flatten_fields, cast(Any, unflatten_fields), namespace=NAMESPACE
    )
    return cls


def describe(treedef: PyTreeDef) -> str:
    """The structure as text for error messages."""
    return (
        str(treedef)
        .removeprefix("PyTreeSpec(")
        .removesuffix(")")
        .replace(f", namespace={NAMESPACE!r}", "")
    )
