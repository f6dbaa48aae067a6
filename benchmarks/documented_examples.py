"""JAX's documented examples, run as they stand with this library in the place of JAX.

``python benchmarks/documented_examples.py [-v]`` takes the examples out of the docstrings of
``jax.numpy``, ``jax.numpy.linalg``, ``jax.numpy.fft``, ``jax.scipy`` and ``jax.random``, runs each
statement twice, once with JAX (in double precision) and once with ``jnp`` standing for
``functorch_like.numpy``, ``jax`` for ``functorch_like``, and compares the values of the
expressions. A name counts as equal if all of its examples' values are.
"""

from __future__ import annotations

import argparse
import contextlib
import doctest
import importlib
import io
import types
import warnings
from collections import Counter
from typing import Any

import numpy as np

MODULES = {
    "jax.numpy": "functorch_like.numpy",
    "jax.numpy.linalg": "functorch_like.numpy.linalg",
    "jax.numpy.fft": "functorch_like.numpy.fft",
    "jax.scipy.linalg": "functorch_like.scipy.linalg",
    "jax.scipy.special": "functorch_like.scipy.special",
    "jax.scipy.signal": "functorch_like.scipy.signal",
    "jax.scipy.stats": "functorch_like.scipy.stats",
    "jax.scipy.ndimage": "functorch_like.scipy.ndimage",
    "jax.scipy.interpolate": "functorch_like.scipy.interpolate",
    "jax.scipy.integrate": "functorch_like.scipy.integrate",
    "jax.random": "functorch_like.random",
}


def names_for(ours: bool) -> dict[str, Any]:
    """What the examples take for granted."""
    import jax

    if not ours:
        found = {"jax": jax, "jnp": jax.numpy, "np": np, "lax": jax.lax, "random": jax.random}
        return {**found, "partial": importlib.import_module("functools").partial}
    import functorch_like as ft
    import functorch_like.numpy as fnp

    stand_in = types.SimpleNamespace(
        numpy=fnp, scipy=ft.scipy, random=ft.random, grad=ft.grad, jit=ft.jit, vmap=ft.vmap,
        hessian=ft.hessian, jvp=ft.jvp, vjp=ft.vjp, jacobian=ft.jacobian, jacfwd=ft.jacfwd,
        jacrev=ft.jacrev, make_jaxpr=None, Array=np.ndarray, config=jax.config, tree=ft.tree,
        lax=types.SimpleNamespace(
            scan=ft.scan, cond=ft.cond, while_loop=ft.while_loop, fori_loop=ft.fori_loop,
            switch=ft.switch, map=ft.map, stop_gradient=ft.stop_gradient,
        ),
    )  # fmt: skip
    return {
        **names_for(False), "jax": stand_in, "jnp": fnp, "lax": stand_in.lax, "random": ft.random
    }  # fmt: skip


def flat(x: Any) -> list[Any]:
    """The numbers of a result."""
    if isinstance(x, dict):
        return [leaf for v in x.values() for leaf in flat(v)]
    if isinstance(x, (tuple, list)):
        return [leaf for v in x for leaf in flat(v)]
    return [x]


def same(x: Any, y: Any) -> bool:
    """Whether two results are the same numbers."""
    xs, ys = flat(x), flat(y)
    if len(xs) != len(ys):
        return False
    for a, b in zip(xs, ys, strict=True):
        try:
            a, b = np.asarray(a), np.asarray(b)
        except Exception:
            return False
        if a.dtype.kind not in "biufc" or b.dtype.kind not in "biufc":
            continue
        if a.shape != b.shape or not np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True):
            return False
    return True


def verdict(text: str) -> tuple[str, str]:
    """``equal``, ``differs``, ``error``, or ``no value`` where nothing could be compared."""
    theirs, ours = names_for(False), names_for(True)
    compared = 0
    for example in doctest.DocTestParser().get_examples(text):
        source = example.source.strip()
        if source.startswith("import jax") or source.startswith("from jax"):
            continue
        try:
            code = compile(source, "<example>", "eval")
        except SyntaxError:
            code = compile(source, "<example>", "exec")
        try:
            want = eval(code, theirs)
        except Exception:
            continue  # an example of an error, or of another device
        try:
            got = eval(code, ours)
        except Exception as error:
            return "error", f"{source.splitlines()[0]}: {type(error).__name__}: {error}"
        if want is None:
            continue
        compared += 1
        if not same(got, want):
            return "differs", f"{source.splitlines()[0]}"
    return ("equal", "") if compared else ("no value", "")


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-v", action="store_true", help="print what is not equal")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    import jax

    jax.config.update("jax_enable_x64", True)
    for module, place in MODULES.items():
        theirs, ours = importlib.import_module(module), importlib.import_module(place)
        count: Counter[str] = Counter()
        for name in sorted(n for n in dir(theirs) if not n.startswith("_")):
            function = getattr(theirs, name)
            text = getattr(function, "__doc__", None)
            if isinstance(function, types.ModuleType) or not text or ">>>" not in text:
                continue
            if not hasattr(ours, name):
                count["missing"] += 1
                if options.v:
                    print(f"{module}.{name}: missing")
                continue
            with contextlib.redirect_stdout(io.StringIO()):  # examples print
                what, why = verdict(text)
            count[what] += 1
            if options.v and what in ("differs", "error"):
                print(f"{module}.{name}: {what}: {why[:200]}")
        print(module, dict(count))


if __name__ == "__main__":
    main()
