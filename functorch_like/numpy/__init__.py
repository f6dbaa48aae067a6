"""NumPy's functions on traced arrays: importing this package connects them to NumPy."""

from . import (
    creation,
    dispatch,
    elementwise,
    indexing,
    manipulation,
    operators,
    products,
    reductions,
    sorting,
)
