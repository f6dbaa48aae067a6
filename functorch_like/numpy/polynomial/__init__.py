"""``numpy.polynomial`` for traced arrays.

NumPy's functions of this package convert their arguments to plain arrays without asking; these
have the same names, signatures and values, and take traced arrays too. So do the classes:

>>> import numpy as np
>>> import functorch_like as ft
>>> from functorch_like.numpy.polynomial import Polynomial, chebyshev
>>> ft.grad(lambda c: chebyshev.chebval(0.5, c))(np.array([1.0, 2.0, 3.0]))
array([ 1. ,  0.5, -0.5])
>>> float(ft.grad(lambda x: Polynomial([1.0, 2.0, 3.0]).deriv()(x))(2.0))
6.0

Where NumPy's result depends on values in its shape, traced coefficients do as follows: trailing
zeros are kept, for they have derivatives; ``polytrim`` and its like cut by the values that they
have, and are refused under ``vmap`` and ``jit``, where they have none. The derivative of roots is
that of simple roots (Wilkinson, "Rounding Errors in Algebraic Processes", 1963, chapter 2:
dr/dc_k = -r^k / p'(r)).
"""

from . import chebyshev, hermite, hermite_e, laguerre, legendre, polynomial
from .source import namespace

Polynomial = namespace("polynomial")["Polynomial"]
Chebyshev = namespace("chebyshev")["Chebyshev"]
Legendre = namespace("legendre")["Legendre"]
Hermite = namespace("hermite")["Hermite"]
HermiteE = namespace("hermite_e")["HermiteE"]
Laguerre = namespace("laguerre")["Laguerre"]

__all__ = [
    "Chebyshev",
    "Hermite",
    "HermiteE",
    "Laguerre",
    "Legendre",
    "Polynomial",
    "chebyshev",
    "hermite",
    "hermite_e",
    "laguerre",
    "legendre",
    "polynomial",
]
