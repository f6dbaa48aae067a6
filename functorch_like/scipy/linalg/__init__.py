"""SciPy's linear algebra on traced arrays, under scipy.linalg's names.

Each function is SciPy's own where no argument is traced; where one is, ours runs, whose values
are SciPy's and whose derivatives exist at every order, under vmap and jit too. Leading axes are a
batch. ``overwrite_*`` arguments are ignored on traced arrays; ``check_finite`` is honoured where
values are known. What is taken where a derivative does not exist is said in
``functorch_like.primitives.linalg`` and in each function's docstring.
"""

from __future__ import annotations

import scipy.linalg as _scipy
from scipy.linalg import (
    LinAlgError,
    LinAlgWarning,
    clarkson_woodruff_transform,
    dft,
    hadamard,
    helmert,
    hilbert,
    invhilbert,
    invpascal,
    pascal,
)

from .cholesky_lu import (
    cho_factor,
    cho_solve,
    cho_solve_banded,
    cholesky,
    cholesky_banded,
    ldl,
    lu,
    lu_factor,
    lu_solve,
)
from .eigenvalues import (
    cdf2rdf,
    eig,
    eig_banded,
    eigh,
    eigh_tridiagonal,
    eigvals,
    eigvals_banded,
    eigvalsh,
    eigvalsh_tridiagonal,
)
from .least_squares import lstsq, pinv, pinvh
from .matrix_equations import (
    solve_continuous_are,
    solve_continuous_lyapunov,
    solve_discrete_are,
    solve_discrete_lyapunov,
    solve_lyapunov,
    solve_sylvester,
)
from .matrix_functions import (
    coshm,
    cosm,
    expm,
    expm_cond,
    expm_frechet,
    fractional_matrix_power,
    funm,
    khatri_rao,
    logm,
    signm,
    sinhm,
    sinm,
    sqrtm,
    tanhm,
    tanm,
)
from .measures import bandwidth, ishermitian, issymmetric, matrix_balance, norm
from .operands import refused
from .orthogonal import (
    diagsvd,
    hessenberg,
    null_space,
    orth,
    orthogonal_procrustes,
    polar,
    qr,
    qr_multiply,
    rq,
    schur,
    subspace_angles,
    svd,
    svdvals,
)
from .solving import (
    det,
    inv,
    matmul_toeplitz,
    solve,
    solve_banded,
    solve_circulant,
    solve_toeplitz,
    solve_triangular,
    solveh_banded,
)
from .special_matrices import (
    block_diag,
    circulant,
    companion,
    convolution_matrix,
    fiedler,
    fiedler_companion,
    hankel,
    leslie,
    toeplitz,
)

_CHANGED = "factor the changed matrix by qr: np.vstack or np.delete of the rows, or a + u v^H"
_PAIRS = "the factors are not unique; use eig(a, b) or eigh(a, b), or solve(b, a) and schur"
REFUSED = {
    "cossin": "the angles are those of svd(x[:p, :q])",
    "ordqz": _PAIRS,
    "qr_delete": _CHANGED,
    "qr_insert": _CHANGED,
    "qr_update": _CHANGED,
    "qz": _PAIRS,
    "rsf2csf": "use schur(a, output='complex')",
}
cossin = refused(_scipy.cossin, REFUSED["cossin"])
ordqz = refused(_scipy.ordqz, REFUSED["ordqz"])
qr_delete = refused(_scipy.qr_delete, REFUSED["qr_delete"])
qr_insert = refused(_scipy.qr_insert, REFUSED["qr_insert"])
qr_update = refused(_scipy.qr_update, REFUSED["qr_update"])
qz = refused(_scipy.qz, REFUSED["qz"])
rsf2csf = refused(_scipy.rsf2csf, REFUSED["rsf2csf"])

__all__ = [
    "LinAlgError", "LinAlgWarning", "bandwidth", "block_diag", "cdf2rdf", "cho_factor",
    "cho_solve", "cho_solve_banded", "cholesky", "cholesky_banded", "circulant",
    "clarkson_woodruff_transform", "companion", "convolution_matrix", "coshm", "cosm", "cossin",
    "det", "dft", "diagsvd", "eig", "eig_banded", "eigh", "eigh_tridiagonal", "eigvals",
    "eigvals_banded", "eigvalsh", "eigvalsh_tridiagonal", "expm", "expm_cond", "expm_frechet",
    "fiedler", "fiedler_companion", "fractional_matrix_power", "funm", "hadamard", "hankel",
    "helmert", "hessenberg", "hilbert", "inv", "invhilbert", "invpascal", "ishermitian",
    "issymmetric", "khatri_rao", "ldl", "leslie", "logm", "lstsq", "lu", "lu_factor", "lu_solve",
    "matmul_toeplitz", "matrix_balance", "norm", "null_space", "ordqz", "orth",
    "orthogonal_procrustes", "pascal", "pinv", "pinvh", "polar", "qr", "qr_delete", "qr_insert",
    "qr_multiply", "qr_update", "qz", "rq", "rsf2csf", "schur", "signm", "sinhm", "sinm", "solve",
    "solve_banded", "solve_circulant", "solve_continuous_are", "solve_continuous_lyapunov",
    "solve_discrete_are", "solve_discrete_lyapunov", "solve_lyapunov", "solve_sylvester",
    "solve_toeplitz", "solve_triangular", "solveh_banded", "sqrtm", "subspace_angles", "svd",
    "svdvals", "tanhm", "tanm", "toeplitz",
]  # fmt: skip
