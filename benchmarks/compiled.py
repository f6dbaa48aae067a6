"""Compiled derivatives beside their peers: times, ratios to the best peer, and targets.

Run ``python benchmarks/compiled.py [row ...] [--json out.json] [--plot docs/compiled.png]``. A
row's contestants are checked against one another and timed in turn in one process, each on all
cores of the machine; nothing else may run on it. A peer that is missing, fails or disagrees is
named with its reason. The floor is the derivative written by hand in Numba.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import compile_time
import data
import harness
import numpy as np
import programs
from harness import FLOOR, OURS, Call, Record, Row

import functorch_like as ft


def module(name: str) -> Any:
    """A peer's programs; an import error is the peer's failure."""
    return importlib.import_module(name)


def ours(f: Callable, *args: Any) -> Callable[[], Call]:
    """Maker of a call of our compiled function."""

    def make() -> Call:
        compiled = ft.jit(f)
        return lambda: compiled(*args)

    return make


def jax(transform: Callable[[Any, Any], Callable], *args: Any) -> Callable[[], Call]:
    """Maker of a call of what ``transform(jax, its programs)`` gives, compiled by JAX."""

    def make() -> Call:
        peers = module("peers_jax")
        return peers.ready(transform(peers.jax, peers), *args)

    return make


def floor(name: str, *args: Any, of: str = "floors") -> Callable[[], Call]:
    """Maker of a call of a function by hand."""

    def make() -> Call:
        function = getattr(module(of), name)
        return lambda: function(*args)

    return make


def small() -> Iterator[Row]:
    """Gradient of twenty operations on ten numbers."""
    x = np.linspace(0.1, 1.0, 10)
    yield Row(
        "small",
        {
            FLOOR: floor("twenty", x),
            OURS: ours(ft.grad(programs.twenty), x),
            "JAX": lambda: module("peers_jax").small(x),
        },
        {"JAX": 0.5},
        function=ours(programs.twenty, x),
    )


def elementwise() -> Iterator[Row]:
    """Value and gradient of sum(exp(-x x) sin x) at 1e6 numbers."""
    for dtype, name, rtol in ((np.float64, "bump", 1e-10), (np.float32, "bump32", 2e-5)):
        x = data.bump(dtype)
        yield Row(
            f"elementwise {dtype.__name__}",
            {
                FLOOR: floor(name, x),
                OURS: ours(ft.value_and_grad(programs.bump), x),
                "JAX": jax(lambda jax, peers: jax.value_and_grad(peers.bump), x),
                "torch.compile": lambda x=x: module("peers_torch").bump(x),
            },
            {"JAX": 0.25, "torch.compile": 0.5, FLOOR: 1.5},
            function=ours(programs.bump, x),
            rtol=rtol,
        )


def lorenz() -> Iterator[Row]:
    """10,000 Runge-Kutta steps of the Lorenz system."""
    p = np.array(programs.LORENZ_PARAMETERS)
    sizes = programs.LORENZ_STEPS, programs.LORENZ_H
    yield Row(
        "lorenz value",
        {
            FLOOR: floor("lorenz_value", p, *sizes),
            OURS: ours(programs.lorenz, p),
            "JAX": jax(lambda jax, peers: peers.lorenz, p),
            "JAX, scalars": jax(lambda jax, peers: lambda p: peers.lorenz_of_scalars(*p), p),
        },
        {},
        rtol=1e-6,
    )
    yield Row(
        "lorenz gradient",
        {
            FLOOR: floor("lorenz", p, *sizes),
            OURS: ours(ft.value_and_grad(programs.lorenz), p),
            "JAX reverse": jax(lambda jax, peers: jax.value_and_grad(peers.lorenz), p),
            "JAX forward": jax(lambda jax, peers: peers.lorenz_forward, p),
            "JAX jvp by jvp": jax(lambda jax, peers: peers.lorenz_directions, p),
        },
        {"JAX reverse": 0.05, "JAX forward": 0.2, FLOOR: 2.0},
        function=ours(programs.lorenz, p),
        rtol=1e-6,
    )
    yield Row(
        "lorenz Hessian",
        {
            "JAX hessian": jax(lambda jax, peers: jax.hessian(peers.lorenz), p),
            "JAX forward": jax(lambda jax, peers: peers.lorenz_hessian_of_scalars, p),
            OURS: ours(ft.hessian(programs.lorenz), p),
        },
        {"JAX hessian": 0.05},
        rtol=1e-5,
    )


def adaptive() -> Iterator[Row]:
    """Gradients of an integrator that chooses its steps."""
    cases = (
        ("lotka_volterra", (np.array(programs.LOTKA_VOLTERRA_PARAMETERS),), 4, 0.8),
        ("neural_ode", data.neural_ode(), 272, 0.2),
    )
    for name, args, size, at_most in cases:
        program = getattr(programs, name)
        yield Row(
            f"adaptive, {size} parameters",
            {
                "JAX forward": jax(lambda jax, peers, n=name: jax.jacfwd(getattr(peers, n)), *args),
                "autograd": lambda n=name, args=args: module("peers_autograd").make(n, *args),
                OURS: ours(ft.grad(program), *args),
            },
            {"autograd": 0.01, "JAX forward": at_most},
            function=ours(program, *args),
        )


def logistic() -> Iterator[Row]:
    """Logistic regression, 1e5 cases of 100 features."""
    args = data.logistic()
    yield Row(
        "logistic",
        {
            FLOOR: floor("logistic", *args),
            OURS: ours(ft.value_and_grad(programs.logistic), *args),
            "JAX": jax(lambda jax, peers: jax.value_and_grad(peers.logistic), *args),
        },
        {"JAX": 0.8},
        function=ours(programs.logistic, *args),
    )


def mixture() -> Iterator[Row]:
    """Log-likelihood of a Gaussian mixture and its gradient."""
    for d, k in ((10, 25), (32, 5)):
        args = data.mixture(1000, d, k)
        constant = programs.wishart_constant(d)
        every = (0, 1, 2)
        yield Row(
            f"mixture d={d} K={k}",
            {
                FLOOR: floor("mixture", *args, constant, of="floors_models"),
                OURS: ours(ft.value_and_grad(programs.mixture, argnums=every), *args),
                "JAX": jax(lambda jax, peers: jax.value_and_grad(peers.mixture, (0, 1, 2)), *args),
            },
            {"JAX": 0.8, FLOOR: 1.4},
            function=ours(programs.mixture, *args),
        )


def bundle() -> Iterator[Row]:
    """Jacobian blocks of bundle adjustment, 10,000 observations."""
    args = data.bundle()
    yield Row(
        "bundle",
        {
            FLOOR: floor("blocks", *args, of="floors_models"),
            OURS: ours(programs.blocks, *args),
            "JAX reverse": jax(lambda jax, peers: peers.blocks(jax.jacrev), *args),
            "JAX forward": jax(lambda jax, peers: peers.blocks(jax.jacfwd), *args),
        },
        {"JAX": 0.3},
        function=ours(programs.residuals, *args),
        gradient=False,
    )


def hessian() -> Iterator[Row]:
    """Dense Hessians of Rosenbrock's function, and of a mixture with 50 parameters."""
    for n in (10, 100, 500):
        x = np.linspace(-1.0, 1.0, n)
        yield Row(
            f"hessian Rosenbrock {n}",
            {
                FLOOR: floor("rosenbrock_hessian", x),
                OURS: ours(ft.hessian(programs.rosenbrock), x),
                "JAX": jax(lambda jax, peers: jax.hessian(peers.rosenbrock), x),
            },
            {"JAX": 0.5},
        )
    alphas, means, factors, x = data.mixture(200, 3, 5)
    theta = np.concatenate([alphas, means.ravel(), factors.ravel()])
    yield Row(
        "hessian mixture 50",
        {
            "JAX": jax(lambda jax, peers: jax.hessian(peers.flat_mixture), theta, x),
            OURS: ours(ft.hessian(programs.flat_mixture), theta, x),
        },
        {"JAX": 0.5},
    )


def training(name: str, targets: dict[str, float], torch: dict[str, Callable]) -> Row:
    """Training steps in float32, our weights and JAX's donated, torch's changed in place."""
    loss, args = getattr(programs, name), getattr(data, name)()

    def make() -> Call:
        step = ft.jit(programs.train(loss), donate_argnums=0)
        state, batch = ft.tree.map(np.copy, args[0]), args[1:]

        def call() -> Any:
            nonlocal state
            state, value = step(state, *batch)
            return state, value

        return call

    def by_jax() -> Call:
        peers = module("peers_jax")
        return peers.training(getattr(peers, name), *args)

    contestants = {"JAX": by_jax, OURS: make}
    contestants |= {k: lambda m=m: m(module("peers_torch"), args) for k, m in torch.items()}
    return Row(name, contestants, targets, function=ours(loss, *args), rtol=1e-3)


def mlp() -> Iterator[Row]:
    """Training step of a multilayer perceptron."""
    yield training(
        "mlp",
        {"JAX": 1.0, "torch": 1.0},
        {
            "torch": lambda torch, args: torch.training(torch.mlp, *args),
            "torch.compile": lambda torch, args: torch.training(torch.mlp, *args, compiled=True),
        },
    )


def transformer() -> Iterator[Row]:
    """Training step of a transformer block."""
    yield training(
        "transformer",
        {"JAX": 0.9, "torch": 1.2},
        {"torch": lambda torch, args: torch.training(torch.transformer, *args)},
    )


def lstm() -> Iterator[Row]:
    """Training step of an LSTM over 128 steps."""
    yield training(
        "lstm", {"JAX": 0.9, "torch": 1.2}, {"torch": lambda torch, args: torch.lstm(*args)}
    )


GROUPS: dict[str, Callable[[], Iterator[Row | Record]]] = {
    f.__name__: f
    for f in (
        small,
        elementwise,
        lorenz,
        adaptive,
        logistic,
        mixture,
        bundle,
        hessian,
        mlp,
        transformer,
        lstm,
    )
} | {"compile_time": compile_time.records}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    found = {"cores": os.cpu_count(), "processor": platform.processor() or platform.machine()}
    for package in ("numpy", "scipy", "numba", "jax", "torch", "autograd"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def in_process(name: str) -> list[Record]:
    """Records of a group from a process of its own: no group sees another's threads or crash."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, __file__, name, "--child", "--json", file.name]
        status = subprocess.run(command).returncode
        records = harness.load(file.name)
    if status:
        records.append(Record(name, {}, failures={"process": f"ended with status {status}"}))
        harness.show(records[-1])
    return records


def in_here(name: str, path: str | None) -> list[Record]:
    """Records of a group, shown and written as they come."""
    records = []
    for row in GROUPS[name]():
        records.append(harness.run(row) if isinstance(row, Row) else row)
        harness.show(records[-1])
        if path:
            harness.save(records, path, machine())
    return records


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="row", help=", ".join(GROUPS))
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--plot", help="draw the ratios into this file")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.rows) - set(GROUPS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    if options.child:
        in_here(options.rows[0], options.json)
        return
    print("; ".join(f"{k} {v}" for k, v in machine().items()), flush=True)
    print(harness.HEADER, flush=True)
    records = [record for name in options.rows or GROUPS for record in in_process(name)]
    if options.json:
        harness.save(records, options.json, machine())
    if options.plot:
        harness.plot(records, options.plot)
    verdicts = [v["met"] for r in records for v in r.verdicts() if v["at_most"] is not None]
    failed = sum(bool(record.failures) for record in records)
    print(f"\n{verdicts.count(True)} of {len(verdicts)} targets met; failures in {failed} rows")


if __name__ == "__main__":
    main()
