"""Second derivatives in the shapes that computations ask for.

``forward_laplacian.py`` is the trace behind ``laplacian``; ``diagonals.py`` has ``laplacian`` and
``hessian_diagonal``, ``gauss_newton.py`` Gauss-Newton products and matrices, ``operators.py``
Jacobians and Hessians as SciPy's linear operators.
"""

from .diagonals import hessian_diagonal, laplacian
from .gauss_newton import gauss_newton, gauss_newton_product
from .operators import hessian_operator, jacobian_operator

__all__ = [
    "gauss_newton",
    "gauss_newton_product",
    "hessian_diagonal",
    "hessian_operator",
    "jacobian_operator",
    "laplacian",
]
