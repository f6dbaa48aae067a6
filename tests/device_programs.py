"""What ``test_gpu_programs`` runs on the device: programs of other tests, and drawn ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import test_control_flow as loops
import test_gpu
import test_script
from drawn_programs import OPERATIONS, draw
from drawn_programs import looped as drawn_loop
from test_jit_programs import MODES, SIZE_SETS
from test_numpy_functions import CASES, arrays

import functorch_like as ft
from functorch_like.scripting import script

__all__ = ["EVERY", "SUITES"]

Program = tuple[Callable, tuple]


def control_programs() -> Iterator[tuple[str, Program]]:
    for name, (f, _) in loops.PROGRAMS.items():
        slope = ft.grad(f)
        yield name, (lambda x, f=f, slope=slope: (f(x), slope(x)), (loops.X,))
        if name in ("root", "branch_in_while", "assigned"):
            yield f"{name} lanes", (ft.vmap(slope), (loops.X * loops.LANES,))


def classic_programs() -> Iterator[tuple[str, Program]]:
    first = lambda g: test_script.weighed(lambda *a: ft.tree.leaves(g(*a))[0])
    for f, (args, numbers) in test_script.CLASSICS.items():
        yield f.__name__, (script(f), args)
        if f.__name__ in ("dormand_prince", "kalman", "thomas", "time_warping", "march"):
            yield f"{f.__name__} gradient", (ft.grad(first(script(f)), argnums=numbers), args)
    for f, axes, args in test_script.LANES:
        yield f"{f.__name__} lanes", (ft.vmap(script(f), in_axes=axes), args)


def scripted_programs() -> Iterator[tuple[str, Program]]:
    for i, (f, args) in list(enumerate(test_script.PROGRAMS))[::15]:
        yield f"{f.__name__}-{i}", (script(f), args)


def transformed_programs() -> Iterator[tuple[str, Program]]:
    for i, (name, f) in enumerate(test_gpu.FUNCTIONS.items()):
        chosen = list(test_gpu.TRANSFORMS)[i % len(test_gpu.TRANSFORMS)]
        if name != "custom_vjp":
            transform = test_gpu.TRANSFORMS[chosen]
            yield f"{name} {chosen}", (transform(f), (test_gpu.W,))


def numpy_programs() -> Iterator[tuple[str, Program]]:
    for name in list(CASES)[::9]:
        f, xs = arrays(name)

        def everything(*xs: Any, f: Callable = f) -> Any:
            out, pullback = ft.vjp(f, *xs)
            return out, pullback(out), ft.vmap(f)(*[np.stack([x, x * 0.5]) for x in xs])

        yield name, (everything, tuple(xs))


def drawn_programs() -> Iterator[tuple[str, Program]]:
    for seed in range(16):
        rng = random.Random(seed)
        pick = lambda options, rng=rng: options[rng.randrange(len(options))]
        operations = [*OPERATIONS, *[drawn_loop] * 30] if seed % 2 else OPERATIONS
        program = draw(pick, 4, sizes=pick(SIZE_SETS), dtypes=("f8",), operations=operations)
        mode = list(MODES)[seed % len(MODES)]
        eager, _, batched = MODES[mode]
        args = list(program.arguments)
        at = tuple(i for i, x in enumerate(args) if x.dtype.kind == "f")
        if batched:
            args = [np.stack([x, x[::-1] if x.ndim else x, x]) for x in args]
        yield f"{seed} {mode}", (eager(program, at), tuple(args))


SUITES = {
    "control": control_programs,
    "classics": classic_programs,
    "scripted": scripted_programs,
    "transformed": transformed_programs,
    "numpy": numpy_programs,
    "drawn": drawn_programs,
}
EVERY = [(suite, name, *p) for suite, made in SUITES.items() for name, p in made()]
