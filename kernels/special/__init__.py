"""Derivatives of special functions by parameters, which SciPy has no kernels for.

An integral representation whose integrand does not cancel is differentiated under the integral
sign and summed by a Gauss-Legendre rule; ``zeta`` by the Euler-Maclaurin formula. Every order of
derivative comes from the same few lines. The arithmetic is that of the arrays' own module
(``arrays.modules_of``), so that it runs on a GPU as it does on the CPU.
"""
