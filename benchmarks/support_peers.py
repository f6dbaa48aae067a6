"""The support table's calls on the peers: how many public names each can differentiate.

``python benchmarks/support_peers.py [module ...]`` runs every call of ``tests/support`` through
``autograd.numpy``/``autograd.scipy`` and ``jax.numpy``/``jax.scipy`` as their users would write it
(their function in place of NumPy's), in forward and reverse mode and, for JAX, under vmap and jit,
and compares with the differences of the plain function. A name counts in a column if all of its
calls do, or with ``--first`` the first and simplest of them. ``-v`` prints what becomes of each
name; ``--lacking`` the names that a peer has and we have not. JAX runs in double precision.
"""

from __future__ import annotations

import argparse
import importlib
import pathlib
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests"))

from support.cases import Case, Cases, all_cases
from support.table import CONSTANT, OURS, PLAIN, row_of
from support.verdicts import Wrong, close, floats, inner, leaves, random_like, reference

MODES = ("value", "forward", "reverse", "vmap", "jit")


class Peer:
    """How one library differentiates; ``place`` names its module for one of NumPy's or SciPy's."""

    name: str
    modes: tuple[str, ...]

    def function(self, module: str, name: str) -> Any:
        """Its function of that name, or None."""
        head, _, rest = module.partition(".")
        path = ".".join(filter(None, (f"{self.name}.{head}", rest)))
        try:
            found: Any = importlib.import_module(path)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            return None
        return found

    def run(self, mode: str, g: Callable, xs: list, vs: list, us: list | None) -> list:
        """Results of ``g`` at ``xs``: its value, tangents along ``vs``, cotangents of ``us``."""
        raise NotImplementedError


class Autograd(Peer):
    """HIPS autograd."""

    name = "autograd"
    modes = ("value", "forward", "reverse")

    def run(self, mode: str, g: Callable, xs: list, vs: list, us: list | None) -> list:
        """See ``Peer.run``."""
        import autograd
        import autograd.builtins

        if mode == "value":
            return [np.asarray(y) for y in g(*xs)]

        def packed(inputs: Any) -> Any:
            return autograd.builtins.tuple(tuple(g(*inputs)))

        if mode == "forward":
            return list(autograd.make_jvp(packed)(tuple(xs))(tuple(vs))[1])
        pullback, _ = autograd.make_vjp(packed)(tuple(xs))
        return list(pullback(tuple(us or ())))


class Jax(Peer):
    """JAX."""

    name = "jax"
    modes = MODES

    def run(self, mode: str, g: Callable, xs: list, vs: list, us: list | None) -> list:
        """See ``Peer.run``."""
        import jax

        arrays = [jax.numpy.asarray(x) for x in xs]
        if mode == "value":
            return list(g(*arrays))
        if mode == "forward":
            return list(jax.jvp(g, tuple(arrays), tuple(map(jax.numpy.asarray, vs)))[1])
        if mode == "reverse":
            return list(jax.vjp(g, *arrays)[1]([jax.numpy.asarray(u) for u in us or ()]))
        if mode == "jit":
            return list(jax.jit(g)(*arrays))
        stacked = [jax.numpy.stack([x, x]) for x in arrays]
        return [y[1] for y in jax.vmap(g)(*stacked)]


def judged(peer: Peer, case: Case, f: Callable, plain: Callable) -> dict[str, str]:
    """What becomes of one call in each mode: ``ok``, ``wrong`` or ``error``."""
    values, directions, slopes = reference(case, plain)
    chosen = [i for i, x in enumerate(case.arrays) if x.dtype.kind in "fc"]
    xs, vs = [case.arrays[i] for i in chosen], [directions[i] for i in chosen]

    def g(*primals: Any) -> list:
        args: list = list(case.arrays)
        for i, x in zip(chosen, primals, strict=True):
            args[i] = x
        return [y for y in leaves(case.call(f, *args)) if kind(y) in "fc"]

    rng = np.random.default_rng(2)
    us = [random_like(rng, s) for s in slopes]
    wanted = {
        "value": floats(values), "jit": floats(values), "vmap": floats(values), "forward": slopes,
    }  # fmt: skip
    made = {}
    for mode in peer.modes:
        try:
            got = peer.run(mode, g, xs, vs, us)
            if mode == "reverse":
                # Either convention for complex cotangents will do.
                want = [inner(us, slopes), inner([np.conj(u) for u in us], slopes)]
                have = [inner(got, vs), inner([np.conj(y) for y in got], vs)]
                if not any(np.isclose(h, w, rtol=1e-4, atol=1e-4) for h in have for w in want):
                    raise Wrong(mode)
            else:
                tolerance = case.tolerance if mode == "forward" else 1e-8
                for a, b in zip(got, wanted[mode], strict=True):
                    close(a, b, tolerance, mode)
            made[mode] = "ok"
        except Wrong:
            made[mode] = "wrong"
        except Exception:
            made[mode] = "error"
    return made


def kind(x: Any) -> str:
    """One letter for the kind of dtype."""
    return np.dtype(getattr(x, "dtype", None) or np.asarray(x).dtype).kind


def verdict(peer: Peer, cases: Cases, name: str, first: bool) -> dict[str, str]:
    """The worst of the calls of one name, by mode; empty if the peer has no such name."""
    f = peer.function(cases.module.__name__, name)
    if f is None:
        return {}
    worst = dict.fromkeys(peer.modes, "ok")
    for case in cases.calls.get(name, [])[: 1 if first else None]:
        for mode, what in judged(peer, case, f, cases.public(name)).items():
            if what != "ok" and worst[mode] != "wrong":
                worst[mode] = what
    return worst


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("--lacking", action="store_true")
    parser.add_argument("--first", action="store_true", help="of each name the first call only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    import jax

    jax.config.update("jax_enable_x64", True)
    peers: list[Peer] = [Autograd(), Jax()]
    columns = [f"{p.name} {m}" for p in peers for m in p.modes]
    print("module".ljust(28), "ours ", " ".join(c.rjust(16) for c in columns))
    for module, cases in sorted(all_cases().items()):
        if options.modules and module not in options.modules:
            continue
        count: Counter[str] = Counter()
        for name in cases.calls:
            if name in cases.refused:
                continue
            ours = row_of(cases, name).status in (PLAIN, OURS, CONSTANT)
            count["ours"] += ours
            said = []
            for peer in peers:
                found = verdict(peer, cases, name, options.first)
                for mode, what in found.items():
                    count[f"{peer.name} {mode}"] += what == "ok"
                said.append(f"{peer.name} {found or 'missing'}")
                if options.lacking and not ours and found.get("reverse") == "ok":
                    print(f"{module}.{name}: {peer.name} has it")
            if options.v:
                print(f"{module}.{name}: ours {ours}; {'; '.join(said)}")
        print(module.ljust(28), str(count["ours"]).rjust(4), end="  ")
        print(" ".join(str(count[c]).rjust(16) for c in columns), f" of {len(cases.calls)}")


if __name__ == "__main__":
    main()
