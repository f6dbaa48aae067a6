"""NumPy's functions on traced arrays: importing this package connects them to NumPy."""

from . import (
    creation,
    dispatch,
    elementwise,
    fft,
    indexing,
    linalg,
    manipulation,
    operators,
    products,
    reductions,
    sorting,
    statistics,
)
