"""What is planned: a function or its gradient, in some leaves of its arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..arguments import as_array, differentiable, resolve_argnums, substitute
from ..errors import name_of
from ..kernels.device import is_gpu
from ..primitives.core import Tracer, aval_of, shape_of
from ..reverse import grad
from .pattern import Found, find_pattern

__all__ = ["Task", "positional"]


def positional(label: str, kwargs: dict[str, Any]) -> None:
    """Raise if there are keyword arguments, which plans have no place for."""
    if kwargs:
        names = ", ".join(kwargs)
        raise TypeError(
            f"{label}: expected positional arguments; got {names} by keyword; pass it by position, "
            f"or fix it with functools.partial(f, {next(iter(kwargs))}=...)."
        )


class Task:
    """What is differentiated: a function, in which of its arguments, and how."""

    def __init__(
        self, name: str, f: Callable, args: tuple, argnums: Any, second: bool, holomorphic: bool
    ) -> None:
        self.name = name
        self.f = f
        self.second = second
        self.holomorphic = holomorphic
        if not callable(f):
            raise TypeError(f"{name}: expected a function; got {type(f).__name__}.")
        self.numbers = resolve_argnums(name, f, argnums, len(args))
        leaves, self.in_tree = tree.flatten(args)
        self.leaves = [self._leaf(x) for x in leaves]
        self.avals = [aval_of(x) for x in self.leaves]
        numbered = tree.unflatten(self.in_tree, range(len(leaves)))
        self.places = [i for n in self.numbers for i in tree.leaves(numbered[n])]
        if not self.places:
            raise TypeError(
                f"{name}({name_of(f)}): expected arrays to differentiate in; got none in argument "
                f"{argnums}."
            )
        for i in self.places:
            self._check(leaves[i])
        self.on_gpu = any(map(is_gpu, self.leaves))

    def _leaf(self, x: Any) -> Any:
        made = as_array(x)
        if isinstance(made, Tracer):
            raise TypeError(
                f"{self.name}({name_of(self.f)}): expected arrays; got a traced one of shape "
                f"{made.shape}: a matrix of scipy.sparse cannot pass through jit, grad or vmap; "
                "make a plan outside, with plan_hessian or plan_jacobian, and call "
                "plan.values(x) inside, which gives the entries as an array."
            )
        if getattr(getattr(made, "dtype", None), "kind", "O") not in "biufc":
            raise TypeError(
                f"{self.name}({name_of(self.f)}): expected arguments of arrays or numbers; got "
                f"{type(x).__name__} {x!r}; pass it by a closure."
            )
        return made

    def _check(self, leaf: Any) -> None:
        x = differentiable(self.name, self.f, leaf, self.holomorphic)
        if x.dtype.kind == "c" and not self.holomorphic:
            raise TypeError(
                f"{self.name}({name_of(self.f)}): expected real input; got {x.dtype}; say "
                "holomorphic=True if f is complex-differentiable."
            )

    def call(self, leaves: Sequence[Any], args: tuple) -> Callable[..., list]:
        """The function, or its gradient, of the leaves that are differentiated alone."""

        def function(*values: Any) -> Any:
            full = list(leaves)
            for i, x in zip(self.places, values, strict=True):
                full[i] = x
            given = tree.unflatten(self.in_tree, full)
            chosen = [given[n] for n in self.numbers]
            out = self.f(*substitute(args, self.numbers, chosen))
            if not self.second:
                return tree.leaves(out)
            made = tree.leaves(out)
            if len(made) != 1 or shape_of(as_array(made[0])) != ():
                got = ", ".join(str(shape_of(as_array(x))) for x in made) or "none"
                raise TypeError(
                    f"{self.name}({name_of(self.f)}): expected a scalar result; got shape {got}; "
                    "sum it (np.sum), or use sparse_jacobian for the first derivatives of several "
                    "results."
                )
            return made[0]

        functools.update_wrapper(function, self.f, updated=())
        if not self.second:
            return function
        gradient = grad(function, tuple(range(len(self.places))), holomorphic=self.holomorphic)
        return lambda *values: list(gradient(*values))

    def flat(self, *leaves: Any) -> list:
        """The function, or its gradient, of all leaves of the arguments."""
        args = tree.unflatten(self.in_tree, leaves)
        return self.call(leaves, args)(*[leaves[i] for i in self.places])

    def find(self) -> Found:
        """The pattern."""
        flags = [i in self.places for i in range(len(self.leaves))]
        return find_pattern(self.name, self.f, self.flat, self.avals, flags, self.second)
