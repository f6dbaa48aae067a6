"""NumPy's functions on traced arrays.

Importing this package connects NumPy's own functions to traced arrays, so that ``import numpy as
np`` serves. The package is also a namespace of its own, with every name of NumPy, for the few
functions that NumPy lets nobody intercept: it makes arrays of traced values, and arrays that
traced values can be assigned to.

>>> import numpy as np
>>> import functorch_like as ft
>>> import functorch_like.numpy as fnp
>>> def rotate(angle):
...     c, s = fnp.cos(angle), fnp.sin(angle)
...     return fnp.array([[c, -s], [s, c]])
>>> ft.jacfwd(rotate)(np.pi / 2).round()
array([[-1., -0.],
       [ 0., -1.]])
>>> def powers(x):
...     y = fnp.zeros(4)
...     for k in range(4):
...         y[k] = x**k
...     return y
>>> ft.jacfwd(powers)(2.0)
array([ 0.,  1.,  4., 12.])

It is the namespace of the array API standard for traced arrays (``x.__array_namespace__()``).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import *  # noqa: F403  (typed as NumPy is)
else:
    from . import (
        assignment,
        bits,
        counting,
        creation,
        dispatch,
        elementwise,
        fft,
        indexing,
        linalg,
        manipulation,
        nan_reductions,
        operators,
        order_statistics,
        padding,
        polynomials,
        products,
        reductions,
        sorting,
        statistics,
    )
    from .namespace import lookup, names

    __all__ = names()

    def __getattr__(name: str) -> Any:
        value = lookup(name)
        if not name.startswith("__"):
            globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return __all__
