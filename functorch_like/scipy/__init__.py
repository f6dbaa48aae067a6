"""SciPy's functions on traced arrays; a submodule is imported when it is asked for."""

import importlib
from typing import Any

_SUBMODULES = (
    *("fft", "integrate", "interpolate", "linalg", "ndimage", "signal", "sparse", "special"),
    "stats",
)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(_SUBMODULES)
