"""SciPy's functions on traced arrays; submodules are imported when they are needed."""

from . import special as special
