"""A stand-in for CuPy that runs without a GPU and refuses what CuPy refuses.

``DeviceArray`` holds its values in a NumPy array nobody else can reach. NumPy dispatches on it as
it does on ``cupy.ndarray``: by the names of ufuncs and functions that CuPy 14 has
(``cupy_names.json``, read off CuPy itself), with the keywords that CuPy's functions take. It is
never converted to a NumPy array, and no operation takes a NumPy array beside it: code that is not
neutral, or that would move data between devices in silence, raises TypeError. array-api-strict
cannot serve here: NumPy does not dispatch on its arrays, and dispatch is how CuPy is reached.

``python tests/strict_device.py`` writes the names of the installed CuPy.
"""

from __future__ import annotations

import ast
import inspect
import json
import pathlib
from typing import Any

import numpy as np

__all__ = ["DeviceArray", "to_device", "to_host"]

NAMES_FILE = pathlib.Path(__file__).with_name("cupy_names.json")
NAMES = json.loads(NAMES_FILE.read_text())
UFUNCS, FUNCTIONS, METHODS = set(NAMES["ufuncs"]), NAMES["functions"], set(NAMES["methods"])
UFUNC_KEYWORDS = {"out", "dtype", "casting"}
# The ufuncs of CuPy 14 that have each method: cupy/_core/_kernel.pyx.
UFUNC_METHODS = {
    "reduce": {"add", "multiply"},
    "accumulate": {"add", "multiply"},
    "reduceat": {"add"},
    "at": {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"},
}
TAKE_NUMPY = {"array", "asarray"}  # what is called to move an array


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """Behaves as a CuPy array as far as this library can tell."""

    __array_priority__ = 100
    __slots__ = ("_host",)
    _host: np.ndarray

    def __init__(self, value: Any) -> None:
        self._host = np.asarray(value)

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    base = property(lambda self: None if self._host.base is None else self)
    T = property(lambda self: DeviceArray(self._host.T))
    real = property(lambda self: DeviceArray(self._host.real))
    imag = property(lambda self: DeviceArray(self._host.imag))

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __len__(self) -> int:
        return len(self._host)

    def __float__(self) -> float:  # CuPy's scalars wait for the device too
        return float(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __complex__(self) -> complex:
        return complex(self._host)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __repr__(self) -> str:
        return f"DeviceArray({self._host!r})"

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if ufunc.__name__ not in UFUNCS or any(hasattr(x, "_trace") for x in inputs):
            return NotImplemented
        if method == "__call__" and keywords.keys() - UFUNC_KEYWORDS:
            raise TypeError(f"Wrong arguments {keywords}")
        if ufunc.__name__ not in UFUNC_METHODS.get(method, UFUNCS):
            raise NotImplementedError(f"`cupy_{ufunc.__name__}.{method}` is not supported yet")
        inside = [host(x) for x in inputs]
        if "out" in keywords:
            out = keywords.pop("out")
            getattr(ufunc, method)(*inside, **keywords, out=tuple(host(x) for x in out))
            return out[0] if len(out) == 1 else out
        return device(getattr(ufunc, method)(*inside, **keywords))

    def __array_function__(self, func: Any, types: Any, args: tuple, keywords: dict) -> Any:
        if not all(issubclass(t, (DeviceArray, np.ndarray)) for t in types):
            return NotImplemented
        module = func.__module__.partition(".")[2]
        name = f"{module}.{func.__name__}" if module else func.__name__
        if name not in FUNCTIONS:
            if func.__name__ in UFUNCS and not module:
                return device(func(*nested(args), **nested(keywords)))
            return NotImplemented
        known = FUNCTIONS[name]
        if name in TAKE_NUMPY:
            return device(func(*[to_host(x) for x in args], **keywords))
        if known is not None and "kwargs" not in known and len(args) > len(known):
            raise TypeError(f"{name}() takes {len(known)} positional arguments; got {len(args)}")
        if known is not None and "kwargs" not in known and keywords.keys() - set(known):
            raise TypeError(
                f"{name}() got unexpected keywords {sorted(keywords.keys() - set(known))}"
            )
        return device(func(*nested(args), **nested(keywords)))

    def __getitem__(self, index: Any) -> DeviceArray:
        return DeviceArray(self._host[index_of(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self._host[index_of(index)] = host(value)

    def get(self) -> np.ndarray:
        """A copy on the host, which is asked for by name."""
        return self._host.copy()

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}", name=name, obj=self)
        method = getattr(self._host, name)
        if not callable(method):
            return device(method)
        return lambda *args, **keywords: device(method(*nested(args), **nested(keywords)))


# The type's module decides the device; NumPy names the type in its errors.
DeviceArray.__module__, DeviceArray.__name__, DeviceArray.__qualname__ = (
    "cupy",
    "ndarray",
    "ndarray",
)


def host(x: Any) -> Any:
    """The values of an operand; NumPy arrays are refused, as CuPy refuses them."""
    if isinstance(x, DeviceArray):
        return x._host
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    return x


def nested(x: Any) -> Any:
    """``host`` in nested sequences and keywords."""
    if isinstance(x, (tuple, list)):
        return type(x)(map(nested, x))
    if isinstance(x, dict):
        return {k: nested(v) for k, v in x.items()}
    return host(x)


def index_of(index: Any) -> Any:
    """An index; CuPy moves NumPy index arrays to the device itself."""
    if isinstance(index, tuple):
        return tuple(map(index_of, index))
    return index._host if isinstance(index, DeviceArray) else index


def device(x: Any) -> Any:
    """A result: arrays and NumPy scalars are arrays of the device."""
    if isinstance(x, (np.ndarray, np.generic)):
        return DeviceArray(x)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(device, x))
    return type(x)(map(device, x)) if isinstance(x, (tuple, list)) else x


def to_device(x: Any) -> Any:
    """Copy every NumPy array of nested sequences to the device."""
    if isinstance(x, (tuple, list)):
        return type(x)(map(to_device, x))
    return DeviceArray(np.array(x)) if isinstance(x, (np.ndarray, np.generic)) else x


def to_host(x: Any) -> Any:
    """Copy every array of nested sequences back."""
    if isinstance(x, (tuple, list)):
        return type(x)(map(to_host, x))
    return x._host.copy() if isinstance(x, DeviceArray) else x


def write_names() -> None:
    """Write ``cupy_names.json`` from the installed CuPy."""
    import cupy
    import cupyx.scipy.special
    import scipy.special

    # cupy.ndarray.__array_ufunc__ looks for the name of a ufunc in these two modules.
    ufuncs = {
        name
        for numpy_module, modules in (
            (np, (cupy,)),
            (scipy.special, (cupy, cupyx.scipy.special)),
        )
        for name, ufunc in vars(numpy_module).items()
        if isinstance(ufunc, np.ufunc) and any(hasattr(m, ufunc.__name__) for m in modules)
    }
    functions: dict[str, list[str] | None] = {}
    for module, prefix in ((cupy, ""), (cupy.linalg, "linalg."), (cupy.fft, "fft.")):
        for name, f in vars(module).items():
            ours = getattr(f, "__module__", "").startswith("numpy")
            if name.startswith("_") or not callable(f) or ours or isinstance(f, type):
                continue
            try:
                functions[prefix + name] = list(inspect.signature(f).parameters)
            except (TypeError, ValueError):
                functions[prefix + name] = None
    methods = [n for n in dir(cupy.ndarray) if not n.startswith("__")]
    names = {"version": cupy.__version__, "ufuncs": sorted(ufuncs), "functions": functions}
    names.update(methods=methods, scipy=scipy_names())
    NAMES_FILE.write_text(json.dumps(names, separators=(",", ":")))


def scipy_names() -> dict[str, dict[str, list[str] | None]]:
    """The functions of CuPy's mirror of SciPy with their parameters, module by module.

    From the source: some of its modules cannot be imported without CUDA's libraries.
    """
    import cupyx

    root = pathlib.Path(cupyx.__file__).parent
    found: dict[str, dict[str, list[str] | None]] = {}
    for module in ("fft", "linalg", "ndimage", "signal", "special"):
        folder = root / "scipy" / module
        parameters = {
            node.name: [x.arg for x in (*node.args.args, *node.args.kwonlyargs)]
            for path in sorted(folder.glob("*.py"))
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.FunctionDef)
        }
        public = [
            alias.asname or alias.name
            for node in ast.parse((folder / "__init__.py").read_text()).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        found[f"scipy.{module}"] = {name: parameters.get(name) for name in sorted(public)}
    return found


if __name__ == "__main__":
    write_names()
