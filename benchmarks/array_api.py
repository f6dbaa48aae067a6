"""How much of the array API standard holds: pass rates of the standard's own test suite.

The suite is data-apis/array-api-tests, with its submodule array-api; check both out, install what
its requirements.txt names, and give the path:

    python benchmarks/array_api.py PATH/array-api-tests [--max-examples 10] [--only numpy jvp ...]
                                   [--select "test_sorting or test_fft"]

Measured are NumPy; ``functorch_like.numpy`` on plain arrays (``eager``); ``functorch_like.numpy``
with every call and every operator run on tracers (``jvp``, ``vjp``, ``vmap``, ``stage``) or
compiled (``jit``); and, if it is installed, ``jax.numpy``. Under ``vmap``, ``stage`` and ``jit``
the tests of functions whose results have shapes that depend on values are skipped, for these
cannot exist there. What fails here and not under NumPy is printed.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import operator
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like as ft
import functorch_like.numpy as fnp

VERSION = "2024.12"
WAYS = ("jvp", "vjp", "vmap", "stage", "jit")
# These answer with types, shapes or Python objects, or take none but them.
NOT_TRACED = {"__array_namespace_info__", "can_cast", "result_type", "finfo", "iinfo", "isdtype"}
NOT_TRACED |= {"from_dlpack", "dtype", "broadcast_shapes", "errstate", "seterr", "geterr"}
IN_PLACE = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"]
IN_PLACE += ["and", "or", "xor", "lshift", "rshift"]
UNARY = ["neg", "pos", "abs", "invert"]
COMPARED = ["eq", "ne", "lt", "le", "gt", "ge"]


class Through:
    """Runs a call with its arrays traced in one way."""

    def __init__(self, way: str) -> None:
        self.way = way

    def __call__(self, f: Callable, args: tuple, kwargs: dict) -> Any:
        """The results of ``f(*args, **kwargs)``."""
        leaves, structure = ft.tree.flatten((list(args), kwargs))
        leaves = [x.view(np.ndarray) if isinstance(x, Traced) else x for x in leaves]
        kinds = "fc" if self.way in ("jvp", "vjp") else "fciub"
        at = [
            i for i, x in enumerate(leaves) if isinstance(x, np.ndarray) and x.dtype.kind in kinds
        ]

        def call(*arrays: Any) -> Any:
            full = list(leaves)
            for i, x in zip(at, arrays, strict=False):
                full[i] = x
            positional, named = ft.tree.unflatten(structure, full)
            return f(*positional, **named)

        return returned(getattr(self, self.way)(call, [leaves[i] for i in at]))

    def jvp(self, call: Callable, arrays: list) -> Any:
        """With a tangent beside each array."""
        arrays = [*arrays, np.float64(0)]  # a call without arrays is inside the transform, too
        return ft.jvp(
            lambda *xs: (xs[-1], call(*xs[:-1])),
            tuple(arrays),
            tuple(np.ones_like(x) for x in arrays),
            has_aux=True,
        )[2]

    def vjp(self, call: Callable, arrays: list) -> Any:
        """Recorded, to be transposed."""
        arrays = [*arrays, np.float64(0)]
        return ft.vjp(lambda *xs: (xs[-1], call(*xs[:-1])), *arrays, has_aux=True)[2]

    def vmap(self, call: Callable, arrays: list) -> Any:
        """In a batch of two; the results of the first."""
        batch = [np.stack([x, x]) for x in (*arrays, np.float64(0))]
        return ft.tree.map(lambda x: np.asarray(x)[0], ft.vmap(lambda *xs: call(*xs[:-1]))(*batch))

    def stage(self, call: Callable, arrays: list) -> Any:
        """Written into a graph, which is evaluated."""
        found: list = []

        def leaves(*xs: Any) -> list:
            out, *found[:] = ft.tree.flatten(call(*xs))
            return out

        values = ft.make_graph(leaves)(*arrays).evaluate(arrays)
        return ft.tree.unflatten(found[0], list(values))

    def jit(self, call: Callable, arrays: list) -> Any:
        """Compiled."""
        return ft.jit(call)(*arrays)


class Traced(np.ndarray):
    """A plain array whose operators are run on tracers."""

    through: Through
    namespace: Any

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        return self.namespace

    def __setitem__(self, key: Any, value: Any) -> None:
        def assigned(x: Any, key: Any, value: Any) -> Any:
            x = x.copy()
            x[plain(key)] = value
            return x

        changed = self.through(assigned, (self, Constant(key), value), {})
        np.ndarray.__setitem__(self, ..., changed.view(np.ndarray))

    def __getitem__(self, key: Any) -> Any:
        return self.through(lambda x, key: x[plain(key)], (self, Constant(key)), {})

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """The array, which is on the only device there is."""
        return self.through(
            lambda x: x.to_device(device, stream=stream),
            (self,),
            {},
        )

    @property
    def T(self) -> Any:  # noqa: N802
        """Transposed."""
        return self.through(lambda x: x.T, (self,), {})

    @property
    def mT(self) -> Any:  # noqa: N802
        """Every matrix transposed."""
        return self.through(lambda x: x.mT, (self,), {})


class Constant:
    """An argument that is not traced: a leaf of its own."""

    def __init__(self, value: Any) -> None:
        self.value = value


def plain(key: Any) -> Any:
    """An index without our arrays in it."""
    key = key.value if isinstance(key, Constant) else key
    if isinstance(key, tuple):
        return tuple(map(plain, key))
    return key.view(np.ndarray) if isinstance(key, Traced) else key


def operate(name: str) -> Callable:
    """An operator that runs on tracers."""
    function = getattr(operator, f"__{name}__")

    def method(self: Any, *others: Any) -> Any:
        return self.through(function, (self, *others), {})

    return method


def reflected(name: str) -> Callable:
    """The operator with its operands the other way round."""
    function = getattr(operator, f"__{name}__")
    return lambda self, other: self.through(lambda x, y: function(y, x), (self, other), {})


def in_place(name: str) -> Callable:
    """The operator that changes its first operand."""
    function = getattr(operator, f"__i{name}__")

    def method(self: Any, other: Any) -> Any:
        changed = self.through(lambda x, y: function(x.copy(), y), (self, other), {})
        np.ndarray.__setitem__(self, ..., changed.view(np.ndarray))
        return self

    return method


for _name in (*IN_PLACE, *UNARY, *COMPARED):
    setattr(Traced, f"__{_name}__", operate(_name))
for _name in IN_PLACE:
    setattr(Traced, f"__r{_name}__", reflected(_name))
    setattr(Traced, f"__i{_name}__", in_place(_name))


def returned(out: Any) -> Any:
    """Results as arrays whose operators are traced, in the tuples they came in."""
    if isinstance(out, (np.ndarray, np.generic)):
        return np.asarray(out).view(Traced)
    if isinstance(out, tuple) and hasattr(out, "_fields"):
        return type(out)(*map(returned, out))
    if isinstance(out, (tuple, list)):
        return type(out)(map(returned, out))
    return out


def wrapped(function: Callable, through: Through) -> Callable:
    """A function that runs on tracers."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return through(function, args, kwargs)

    return call


def namespace(way: str) -> types.ModuleType:
    """``functorch_like.numpy`` with every function run on tracers."""
    through = Through(way)

    def built(name: str, source: Any, names: list[str]) -> types.ModuleType:
        module = types.ModuleType(name)
        for key in names:
            value = getattr(source, key)
            if callable(value) and not isinstance(value, type) and key not in NOT_TRACED:
                value = wrapped(value, through)
            setattr(module, key, value)
        return module

    module = built(f"functorch_like.numpy through {way}", fnp, [*dir(fnp), "__array_api_version__"])
    for name, source in (("linalg", np.linalg), ("fft", np.fft)):
        setattr(module, name, built(name, source, source.__all__))
    Traced.through, Traced.namespace = through, module
    return module


# --- running the suite ----------------------------------------------------------------------------


def module_argument(what: str) -> str:
    """The suite's name for an array library."""
    if what == "numpy":
        return "numpy"
    if what == "jax":
        return "jax.numpy"
    if what == "eager":
        return "functorch_like.numpy"
    here = str(pathlib.Path(__file__).resolve().parent)
    return (
        f'exec(\'import sys; sys.path.insert(0, "{here}"); import array_api; '
        f'xp = array_api.namespace("{what}")\')'
    )


def measure(suite: pathlib.Path, what: str, examples: int, select: str) -> dict[str, str]:
    """Outcome of each test: passed, failed or skipped."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
        command += ["array_api_tests", "--disable-deadline", "--derandomize"]
        command += [f"--max-examples={examples}", f"--junitxml={report}", "-k", select]
        if what in ("vmap", "stage", "jit"):
            command.append("--disable-data-dependent-shapes")
        environment = {
            **os.environ,
            "ARRAY_API_TESTS_MODULE": module_argument(what),
            "ARRAY_API_TESTS_VERSION": VERSION,
            "JAX_ENABLE_X64": "1",
        }
        done = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True)
        if not report.exists():
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        outcomes = {}
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
            kinds = {child.tag for child in case}
            failed = kinds & {"failure", "error"}
            outcomes[name] = "failed" if failed else "skipped" if "skipped" in kinds else "passed"
    return outcomes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", default=["numpy", "eager", *WAYS, "jax"])
    parser.add_argument("--max-examples", type=int, default=10)
    parser.add_argument("--select", default="", help="tests to run, as pytest's -k takes them")
    options = parser.parse_args()
    baseline: dict[str, str] = {}
    for what in options.only:
        if what == "jax" and importlib.util.find_spec("jax") is None:
            continue
        outcomes = measure(options.suite, what, options.max_examples, options.select)
        baseline = baseline or outcomes
        counts = {k: list(outcomes.values()).count(k) for k in ("passed", "failed", "skipped")}
        print(what, counts, flush=True)
        for name, outcome in outcomes.items():
            if outcome == "failed" and baseline.get(name) != "failed":
                print("   ", name, flush=True)


if __name__ == "__main__":
    main()
