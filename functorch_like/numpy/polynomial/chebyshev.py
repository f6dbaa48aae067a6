"""``numpy.polynomial.chebyshev`` for traced arrays: the same names, signatures and values."""

from .source import public

globals().update(public("chebyshev"))
