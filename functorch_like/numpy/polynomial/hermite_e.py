"""``numpy.polynomial.hermite_e`` for traced arrays: the same names, signatures and values."""

from .source import public

globals().update(public("hermite_e"))
