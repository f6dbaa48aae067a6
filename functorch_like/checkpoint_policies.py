"""What ``checkpoint(f, policy=...)`` keeps: policies under JAX's names, and names for values.

A policy is a function ``policy(primitive, *operands, **params) -> bool``: whether the results of
this operation are kept; ``operands`` have ``shape`` and ``dtype``. The rest is computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import tree
from .arguments import as_array
from .errors import boundary
from .primitives.core import Primitive
from .primitives.marking import name_value

__all__ = [
    "checkpoint_dots",
    "checkpoint_dots_with_no_batch_dims",
    "checkpoint_name",
    "dots_saveable",
    "dots_with_no_batch_dims_saveable",
    "everything_saveable",
    "nothing_saveable",
    "save_any_names_but_these",
    "save_anything_except_these_names",
    "save_from_both_policies",
    "save_only_these_names",
]

Policy = Callable[..., bool]


@boundary
def checkpoint_name(x: Any, name: str) -> Any:
    """Name a value, for the policies that keep values by their names.

    Parameters
    ----------
    x
        Array, or pytree of arrays.
    name
        Its name; several values may have the same.

    Returns
    -------
    pytree
        ``x``, unchanged.

    Raises
    ------
    TypeError
        A name that is not a string.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> def layer(x):
    ...     hidden = ft.checkpoint_name(np.exp(x), "hidden")
    ...     return np.sum(np.sin(hidden))
    >>> keep = ft.checkpoint_policies.save_only_these_names("hidden")
    >>> ft.grad(ft.checkpoint(layer, policy=keep))(np.zeros(2))  # exp is computed once
    array([0.54030231, 0.54030231])
    """
    if not isinstance(name, str):
        raise TypeError(
            f"checkpoint_name: expected a name; got {type(name).__name__} {name!r}; write "
            "checkpoint_name(x, 'hidden')."
        )
    return tree.map(lambda leaf: name_value(as_array(leaf), name=name), x)


def everything_saveable(primitive: Primitive, *operands: Any, **params: Any) -> bool:
    """Keep all results: as without ``checkpoint``."""
    return True


def nothing_saveable(primitive: Primitive, *operands: Any, **params: Any) -> bool:
    """Keep no results but the arguments: as ``checkpoint`` without a policy."""
    return False


def dots_saveable(primitive: Primitive, *operands: Any, **params: Any) -> bool:
    """Keep the results of products summed over an axis: ``@``, ``dot``, ``einsum``."""
    if primitive.name != "contract":
        return False
    x, y, out = params["subscripts"]
    return any(label in y and label not in out for label in x)


def dots_with_no_batch_dims_saveable(primitive: Primitive, *operands: Any, **params: Any) -> bool:
    """Keep the results of products in which no axis stands in both operands and the result.

    Such are ``x @ w`` of activations and weights, but not the products of attention, whose
    results are large beside the work they take.
    """
    if not dots_saveable(primitive, *operands, **params):
        return False
    x, y, out = params["subscripts"]
    return not any(label in y and label in out for label in x)


checkpoint_dots = dots_saveable
checkpoint_dots_with_no_batch_dims = dots_with_no_batch_dims_saveable


class Names:
    """A policy that asks for the names of values."""

    def __init__(self, function: str, names: tuple, named: bool, others: bool) -> None:
        for name in names:
            if not isinstance(name, str):
                raise TypeError(
                    f"{function}: expected names that checkpoint_name gave; got "
                    f"{type(name).__name__} {name!r}; write {function}('hidden', 'scores')."
                )
        if not names:
            raise ValueError(
                f"{function}: expected at least one name; got none; write {function}('hidden')."
            )
        self.function = function
        self.names = frozenset(names)
        self.named = named  # whether values with one of the names are kept
        self.unnamed = others  # whether values with another name are
        self.others = others and function != "save_any_names_but_these"

    def __call__(self, primitive: Primitive, *operands: Any, **params: Any) -> bool:
        if primitive is name_value:
            return self.named if params["name"] in self.names else self.unnamed
        return self.others

    def check(self, label: str, found: set[str]) -> None:
        """Raise where none of the values of a function has one of the names."""
        unknown = sorted(self.names - found)
        if unknown:
            there = ", ".join(map(repr, sorted(found))) or "none"
            raise ValueError(
                f"{label}: expected {self.function} to name values that the function names by "
                f"checkpoint_name ({there}); got {', '.join(map(repr, unknown))}; write "
                f"ft.checkpoint_name(x, {unknown[0]!r}) there, or leave the name out."
            )

    def __repr__(self) -> str:
        return f"{self.function}({', '.join(map(repr, sorted(self.names)))})"


def save_only_these_names(*names: str) -> Policy:
    """Keep the values that ``checkpoint_name`` gave one of these names, and nothing else."""
    return Names("save_only_these_names", names, named=True, others=False)


def save_anything_except_these_names(*names: str) -> Policy:
    """Keep all values but those with one of these names.

    Unlike JAX's, it lets go of the operation's result that was named, too.
    """
    return Names("save_anything_except_these_names", names, named=False, others=True)


def save_any_names_but_these(*names: str) -> Policy:
    """Keep the values that have a name, but none of these."""
    return Names("save_any_names_but_these", names, named=False, others=True)


def save_from_both_policies(first: Policy, second: Policy) -> Policy:
    """Keep what one policy or the other keeps."""
    for one in (first, second):
        if not callable(one):
            raise TypeError(
                f"save_from_both_policies: expected two policies; got {one!r}; write "
                "save_from_both_policies(dots_saveable, save_only_these_names('hidden'))."
            )

    def policy(primitive: Primitive, *operands: Any, **params: Any) -> bool:
        return first(primitive, *operands, **params) or second(primitive, *operands, **params)

    def check(label: str, found: set[str]) -> None:
        for one in (first, second):
            if hasattr(one, "check"):
                one.check(label, found)

    policy.check = check  # type: ignore[attr-defined]
    return policy
