"""SciPy's functions and classes written in Python, run from SciPy's own source on tracers.

Most of SciPy is Python around a few compiled loops. Here a function of SciPy is compiled once more
from its source file, in a namespace where

* ``np.asarray`` and its kin, ``array_namespace`` and ``isinstance(x, np.ndarray)`` let tracers
  through, and new arrays can be assigned traced values (as in ``functorch_like.numpy.fallback``);
* the compiled loops are functions of ours (``@replaces``), or refuse tracers by name;
* functions that ``functorch_like`` has itself are its own.

What is changed in the text: a check whose only consequence is an error or a warning is passed over
where the values it looks at are not known (under ``vmap``, while staging); a plain array that is
assigned a traced value becomes a traced one; ``float(x)`` of a traced value is that value.
Everything else decomposes into functions that have rules. No file or object of SciPy is changed,
and calls without traced arguments go to SciPy itself.
"""

from __future__ import annotations

from .public import Refusals, attributes, traced_version
from .runtime import has_tracer, in_trace, replaces, take
from .translation import recompiled, replace_by_source, translate

__all__ = [
    "Refusals", "attributes", "has_tracer", "in_trace", "recompiled", "replace_by_source",
    "replaces", "take", "traced_version", "translate",
]  # fmt: skip
