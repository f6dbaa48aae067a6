"""Calls of scipy.linalg.

Eigenvectors and singular vectors have free signs or phases, which LAPACK chooses anew at each
matrix: their calls look at what does not depend on them. Functions that read one triangle stand
for functions of a Hermitian matrix: their calls make one of the array first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from functorch_like.scipy import linalg as ours
from support.cases import Cases

rng = np.random.default_rng(0)
cases = Cases(scipy.linalg, "functorch_like.scipy.linalg")


def normal(*shape: int, cplx: bool = False) -> np.ndarray:
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if cplx else x


def regular(*shape: int, cplx: bool = False) -> np.ndarray:
    """Matrices with well separated eigenvalues, singular values and pivots."""
    ramp = 4.0 - np.arange(max(shape[-2:]))
    return normal(*shape, cplx=cplx) / 6 + np.diag(ramp)[: shape[-2], : shape[-1]]


def hermitian(x: Any) -> Any:
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


def of_hermitian(**options: Any) -> Callable:
    return lambda f, a, *rest: f(hermitian(a), *rest, **options)


def sizes(vectors: Any) -> Any:
    return np.abs(vectors)


B3, B32 = normal(3), normal(3, 2)
A, Z, TALL, WIDE = regular(3, 3), regular(3, 3, cplx=True), regular(4, 2), regular(2, 4)
STACK = regular(2, 3, 3)
POSITIVE = normal(3, 3) / 4 + np.diag([2.0, 3.0, 4.5])
POSITIVE_Z = normal(3, 3, cplx=True) / 4 + np.diag([2.0, 3.0, 4.5])
LOWER = np.tril(A)
ZTALL = regular(4, 2, cplx=True)
BAND = normal(3, 5) / 4 + np.array([[0], [3.0], [0]])
HALF = np.array([[0], [0], [4.0]]) + normal(3, 5) / 4
ZHALF = HALF + 1j * normal(3, 5) / 4 * np.array([[1], [1], [0]])

# --- equations ---------------------------------------------------------------------------------

cases("solve", A, B3)
cases("solve", Z, B32)
cases("solve", STACK, B32)
cases("solve", STACK, B3)
cases("solve", A, normal(2, 3, 2), check_finite=False)
cases("solve", A, B3, transposed=True)
for name in ("gen", "general", "banded", "upper triangular", "lower triangular"):
    cases("solve", A, B3, assume_a=name)
cases("solve", A, B3, assume_a="upper triangular", transposed=True)
for name in ("diagonal", "tridiagonal"):
    cases("solve", regular(4, 4), normal(4), assume_a=name)
for name in ("pos", "positive definite", "sym", "symmetric", "her", "hermitian"):
    cases("solve", POSITIVE, B3, call=of_hermitian(assume_a=name))
    cases("solve", POSITIVE, B3, call=of_hermitian(assume_a=name, lower=True))
for name in ("pos", "her"):
    cases("solve", POSITIVE_Z, B32, call=of_hermitian(assume_a=name))
cases("solve", Z, B32, call=lambda f, a, b: f(a + a.T, b, assume_a="sym"))
cases("solve", np.array([[2.0]]), B3)
for options in ({}, {"trans": 1}, {"trans": "C", "lower": True}, {"unit_diagonal": True}):
    cases("solve_triangular", A, B32, **options)
    cases("solve_triangular", Z, B3, **options)
cases("solve_triangular", STACK, B32, lower=True)
cases("solve_banded", BAND, normal(5), call=lambda f, ab, b: f((1, 1), ab, b))
cases("solve_banded", BAND, normal(5, 2), call=lambda f, ab, b: f((2, 0), ab + 3, b))
cases("solve_banded", normal(2, 3, 5) / 4 + 2, normal(5, 2), call=lambda f, x, b: f((0, 2), x, b))
cases("solveh_banded", HALF, normal(5))
cases("solveh_banded", HALF[::-1].copy(), normal(5, 2), lower=True)
cases("solveh_banded", ZHALF, normal(5))
cases("solveh_banded", HALF[1:], normal(5))
cases("solve_toeplitz", normal(4) / 4 + [3, 0, 0, 0], normal(4))
cases("solve_toeplitz", normal(4, cplx=True) / 4 + [3, 0, 0, 0], normal(4, 2))
cases("solve_toeplitz", normal(4) / 4 + [3, 0, 0, 0], normal(4), normal(4, 2),
      call=lambda f, c, r, b: f((c, r), b))  # fmt: skip
cases("matmul_toeplitz", normal(4), normal(4))
cases("matmul_toeplitz", normal(4), normal(3), normal(3, 2), call=lambda f, c, r, x: f((c, r), x))
cases("matmul_toeplitz", normal(4, cplx=True), normal(4, 2))
cases("solve_circulant", normal(4) / 4 + [3, 0, 0, 0], normal(4))
cases("solve_circulant", normal(4) / 4 + [3, 0, 0, 0], normal(4, 2), outaxis=-1)
cases("solve_circulant", normal(2, 3) / 4 + [3, 0, 0], normal(3, cplx=True), baxis=-1, outaxis=-1)
cases("solve_circulant", normal(3), normal(3), singular="lstsq",
      call=lambda f, c, b: f(c - np.mean(c), b, singular="lstsq", tol=1e-8))  # fmt: skip
for options in ({}, {"assume_a": "upper triangular"}, {"assume_a": "lower triangular"}):
    cases("inv", A, **options)
    cases("inv", Z, **options)
cases("inv", A, call=lambda f, a: f(a * np.eye(3), assume_a="diagonal"))
cases("inv", STACK)
for name in ("pos", "sym", "her"):
    cases("inv", POSITIVE, call=of_hermitian(assume_a=name))
cases("det", A)
cases("det", Z)
cases("det", STACK)
for driver in (None, "gelsd", "gelsy", "gelss"):
    cases("lstsq", TALL, normal(4), lapack_driver=driver)
    cases("lstsq", TALL, normal(4, 2), lapack_driver=driver)
cases("lstsq", WIDE, normal(2), cond=1e-9)
cases("lstsq", ZTALL, normal(4, cplx=True))
for x in (TALL, WIDE, ZTALL, STACK):
    cases("pinv", x)
cases("pinv", TALL, atol=0.1, rtol=0.01, return_rank=True)
cases("pinvh", POSITIVE, call=of_hermitian())
cases("pinvh", POSITIVE_Z, call=of_hermitian(lower=False, return_rank=True))
cases("norm", A)
for options in ({"ord": 1}, {"ord": np.inf, "axis": (0, 1)}, {"ord": 2}, {"ord": "nuc"},
                {"axis": 1, "keepdims": True}, {"ord": 3, "axis": 0}):  # fmt: skip
    cases("norm", A, **options)
cases("norm", Z, check_finite=False)
cases("norm", B3, ord=1)

# --- triangular factorisations -----------------------------------------------------------------

for x in (POSITIVE, POSITIVE_Z):
    for lower in (False, True):
        cases("cholesky", x, call=of_hermitian(lower=lower))
        cases("cho_factor", x, call=of_hermitian(lower=lower))
        cases("cho_solve", x, B3, call=lambda f, c, b, lower=lower: f((c, lower), b))
cases("cholesky", POSITIVE + np.zeros((2, 1, 1)), call=of_hermitian())
cases("cho_solve", POSITIVE, B32, call=lambda f, c, b: f((c, True), b, check_finite=False))
for x in (HALF, ZHALF):
    cases("cholesky_banded", x, call=lambda f, ab: f(ab * (np.indices((3, 5)).sum(0) > 1)))
    cases("cho_solve_banded", x, normal(5), call=lambda f, c, b: f((c, False), b))
    cases("cho_solve_banded", x[::-1], normal(5, 2), call=lambda f, c, b: f((c, True), b))
cases("cholesky_banded", HALF[::-1], lower=True,
      call=lambda f, ab: f(ab * (np.indices((3, 5)).sum(0) < 5), lower=True))  # fmt: skip
for x in (A, Z, TALL, WIDE, STACK):
    cases("lu", x)
    cases("lu", x, permute_l=True)
    cases("lu", x, p_indices=True)
    cases("lu_factor", x)
cases("lu", A[::-1])
PIVOTS = np.array([2, 1, 2], np.int32)
for trans in (0, 1, 2):
    cases("lu_solve", A, B3, call=lambda f, x, b, t=trans: f((x, PIVOTS), b, trans=t))
    cases("lu_solve", Z, B32, call=lambda f, x, b, t=trans: f((x, PIVOTS), b, trans=t))
for lower in (True, False):
    cases("ldl", POSITIVE, call=of_hermitian(lower=lower))
    cases("ldl", POSITIVE_Z, call=of_hermitian(lower=lower))
    cases("ldl", normal(3, 3) - 3 * np.eye(3)[::-1], call=of_hermitian(lower=lower))
cases("ldl", POSITIVE_Z, call=lambda f, a: f(a + a.T, hermitian=False))

# --- orthogonal factorisations -----------------------------------------------------------------

for x in (A, Z, TALL, WIDE, STACK):
    cases("qr", x, mode="economic")
    cases("qr", x, mode="r")
    cases("rq", x, mode="economic")
cases("rq", WIDE, mode="r")
cases("rq", TALL, mode="r")
cases("rq", A)
cases("qr", A)
cases("qr", WIDE)
# The further columns of a full q are determined up to a rotation.
cases("qr", TALL, call=lambda f, a: (f(a)[0][:, :2], f(a)[1]))
cases("qr", TALL, call=lambda f, a: f(a)[0][:, 2:] @ f(a)[0][:, 2:].T)
cases("rq", WIDE, call=lambda f, a: (f(a)[0], f(a)[1][2:]))
for x in (A, TALL, WIDE, Z):
    cases("qr", x, mode="economic", pivoting=True)
    cases("qr", x, mode="r", pivoting=True)
for mode, c in (("right", normal(2, 4)), ("left", normal(2, 3)), ("right", normal(4)),
                ("left", normal(2))):  # fmt: skip
    cases("qr_multiply", TALL, c, mode=mode)
    cases("qr_multiply", ZTALL, c + 0j, mode=mode, conjugate=True, pivoting=True)
for x in (A, TALL, WIDE, STACK):
    cases("svd", x, full_matrices=False)
    cases("svd", x, compute_uv=False)
cases("svd", A)
cases("svd", Z, call=lambda f, a: (sizes(f(a)[0]), f(a)[1], sizes(f(a)[2])))
cases("svd", TALL, call=lambda f, a: f(a)[0][:, 2:] @ f(a)[0][:, 2:].T)
for x in (A, Z, TALL, WIDE, STACK):
    cases("svdvals", x)
cases("diagsvd", normal(2), call=lambda f, s: f(s, 2, 3))
cases("diagsvd", normal(2), call=lambda f, s: f(s, 3, 2))
cases("diagsvd", normal(3, 2), call=lambda f, s: f(s, 2, 2))
known = ("vmap", "stage")
cases("orth", TALL, without=known)
cases("orth", A, without=known)
cases("null_space", WIDE, call=lambda f, a: f(a) @ f(a).T, without=known)
cases("null_space", normal(3, 1), normal(1, 4), rcond=1e-9, without=known,
      call=lambda f, u, v: f(u @ v, rcond=1e-9) @ f(u @ v, rcond=1e-9).T)  # fmt: skip
cases("subspace_angles", normal(5, 2), normal(5, 3))
cases("subspace_angles", normal(5, 2, cplx=True), normal(5, 2))
cases("subspace_angles", TALL, TALL + normal(4, 2) / 10)
cases("orthogonal_procrustes", normal(5, 3), normal(5, 3))
cases("orthogonal_procrustes", normal(5, 2, cplx=True), normal(5, 2))
for x in (A, Z, TALL, WIDE, STACK):
    cases("polar", x)
    cases("polar", x, side="left")
cases("polar", np.diag([2.0, 2.0]))  # equal singular values
cases("schur", A)
cases("schur", STACK)
cases("schur", Z, call=lambda f, a: (sizes(f(a)[0]), sizes(f(a)[1])), output="complex")
ROTATING = np.array([[1.0, 2.0, 0.3], [-1.5, 1.2, 0.2], [0.1, 0.4, 3.0]])
cases("schur", ROTATING)
cases("schur", ROTATING, call=lambda f, a: [sizes(x) for x in f(a, output="complex")])
for x in (normal(4, 4), normal(4, 4, cplx=True), normal(2, 2, cplx=True), normal(2, 3, 3)):
    cases("hessenberg", x, calc_q=True)
cases("hessenberg", normal(4, 4))

# --- eigenvalues -------------------------------------------------------------------------------

for x in (A, Z, STACK):
    cases("eig", x, without=())
    cases("eig", x, left=True)
    cases("eig", x, left=True, right=False)
    cases("eigvals", x)
cases("eig", ROTATING)
cases("eigvals", ROTATING)
cases("eigvals", A, POSITIVE)
cases("eig", A, POSITIVE, call=lambda f, a, b: (f(a, b)[0], sizes(f(a, b)[1])))
cases("eig", Z, POSITIVE, left=True,
      call=lambda f, a, b: (lambda w, *vs: (w, *map(sizes, vs)))(*f(a, b, left=True)))  # fmt: skip


def values_and_sizes(**options: Any) -> Callable:
    def call(f: Callable, a: Any, *rest: Any) -> Any:
        w, v = f(hermitian(a), *map(hermitian, rest), **options)
        return w, sizes(v)

    return call


def values_of_hermitian(**options: Any) -> Callable:
    return lambda f, a, *rest: f(hermitian(a), *map(hermitian, rest), **options)


for x in (POSITIVE, POSITIVE_Z):
    for options in ({}, {"lower": False}, {"driver": "ev"}, {"driver": "evd"},
                    {"subset_by_index": (1, 2)},
                    {"subset_by_index": (0, 0), "driver": "evx"}):  # fmt: skip
        cases("eigh", x, call=values_and_sizes(**options))
        cases("eigvalsh", x, call=values_of_hermitian(**options))
cases("eigh", POSITIVE, call=values_and_sizes(subset_by_value=(2.5, 9)), without=known)
cases("eigvalsh", POSITIVE, call=values_of_hermitian(subset_by_value=(2.5, 9)), without=known)
PAIR = normal(3, 3) / 5 + np.diag([1.0, 1.5, 2.0])
for kind in (1, 2, 3):
    for x in (A, Z):
        cases("eigh", x, PAIR, call=values_and_sizes(type=kind))
        cases("eigvalsh", x, PAIR, call=values_of_hermitian(type=kind))
cases("eigh", A, PAIR, call=values_and_sizes(lower=False, subset_by_index=(0, 1)))
cases("eigh", A, PAIR, call=values_and_sizes(driver="gv"))
cases("eigh", STACK, call=values_and_sizes())
D, E = np.arange(4.0), np.array([0.5, 0.7, 0.6])
for options in ({}, {"select": "i", "select_range": (1, 2)}, {"lapack_driver": "stemr"},
                {"lapack_driver": "stev"}):  # fmt: skip
    cases("eigh_tridiagonal", D, E,
          call=lambda f, d, e, o=options: (f(d, e, **o)[0], sizes(f(d, e, **o)[1])))  # fmt: skip
    cases("eigvalsh_tridiagonal", D, E, **options)
cases("eigh_tridiagonal", D, E, eigvals_only=True)
cases("eigvalsh_tridiagonal", D, E, select="v", select_range=(0.5, 9.0), without=known)
for band, options in ((HALF + np.arange(5), {}), (ZHALF + np.arange(5), {}),
                      (HALF[::-1] + np.arange(5), {"lower": True}),
                      (HALF + np.arange(5), {"select": "i", "select_range": (0, 2)})):  # fmt: skip
    cases("eig_banded", band,
          call=lambda f, ab, o=options: (f(ab, **o)[0], sizes(f(ab, **o)[1])))  # fmt: skip
    cases("eigvals_banded", band, **options)
cases("eigvals_banded", HALF, select="v", select_range=(2.0, 9.0), without=known)
cases("cdf2rdf", np.array([1 + 2j, 1 - 2j, 3]), normal(3, 3, cplx=True), without=known,
      call=lambda f, w, v: f(np.stack([w[0], np.conj(w[0]), np.real(w[2]) + 0j]), v))  # fmt: skip

# --- functions of matrices ---------------------------------------------------------------------

SMALL, SMALL_Z = normal(3, 3) / 2, normal(3, 3, cplx=True) / 2
for x in (SMALL, SMALL_Z, normal(2, 3, 3) / 3):
    for name in ("expm", "cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm"):
        cases(name, x, tolerance=1e-5)
    cases("expm_frechet", x, normal(*x.shape))
    cases("expm_cond", x)
cases("expm_frechet", SMALL, SMALL + 1, method="blockEnlarge", compute_expm=False)
cases("expm", np.zeros((2, 2)))
for x in (A, Z, STACK):
    for name in ("logm", "sqrtm"):
        cases(name, x)
    cases("fractional_matrix_power", x, t=0.3)
cases("logm", np.eye(2))
cases("sqrtm", np.eye(2))
cases("logm", np.array([[1.0, 0.2], [0.1, -2.0]]), without=("stage",))
cases("sqrtm", np.array([[1.0, 0.2], [0.1, -2.0]]), without=("stage",))
cases("fractional_matrix_power", A, t=-0.5)
cases("fractional_matrix_power", A, t=3)
cases("fractional_matrix_power", A, np.array(0.7))
cases("signm", np.diag([1.0, -2.0, 3.0]) + normal(3, 3) / 4)
cases("signm", np.diag([1.0, -2.0, 3.0]) + normal(3, 3, cplx=True) / 4)
for function in (np.sin, np.exp, lambda w: w**2 + 1):
    cases("funm", A, func=function)
    cases("funm", Z, func=function)
cases("khatri_rao", normal(2, 3), normal(4, 3))
cases("khatri_rao", normal(5, 2, 3), normal(5, 4, 3))

# --- equations in matrices ---------------------------------------------------------------------

cases("solve_sylvester", A, regular(2, 2), B32)
cases("solve_sylvester", Z, regular(2, 2), B32)
cases("solve_sylvester", STACK, regular(2, 2, 2), normal(2, 3, 2))
for name in ("solve_continuous_lyapunov", "solve_lyapunov"):
    cases(name, A, normal(3, 3))
    cases(name, Z, normal(3, 3))
for x in (A / 6, Z / 6):
    cases("solve_discrete_lyapunov", x, normal(3, 3))
    cases("solve_discrete_lyapunov", x, normal(3, 3), method="bilinear")


def riccati(f: Callable, a: Any, b: Any, q: Any, r: Any, *rest: Any) -> Any:
    return f(a, b, hermitian(q), hermitian(r), *rest)


for name in ("solve_continuous_are", "solve_discrete_are"):
    cases(name, A / 6, normal(3, 2), np.eye(3), np.eye(2), call=riccati)
    cases(name, Z / 6, normal(3, 2), np.eye(3), np.eye(2), call=riccati)
    cases(name, A / 6, normal(3, 2), np.eye(3), np.eye(2), np.eye(3) + SMALL / 9, B32 / 9,
          call=lambda f, *xs: riccati(f, *xs, False))  # fmt: skip

# --- matrices made of vectors ------------------------------------------------------------------

for x in (normal(4), normal(4, cplx=True), normal(2, 4)):
    cases("toeplitz", x)
    cases("circulant", x)
    cases("companion", x)
    cases("fiedler_companion", x)
    cases("convolution_matrix", x, n=3)
    cases("convolution_matrix", x, n=3, mode="same")
    cases("convolution_matrix", x, n=6, mode="valid")
cases("toeplitz", normal(3), normal(4))
cases("hankel", normal(3))
cases("hankel", normal(3), normal(4))
cases("fiedler", normal(4))
cases("fiedler", normal(2, 4))
cases("leslie", normal(4), normal(3))
cases("leslie", normal(2, 4), normal(2, 3))
cases("block_diag", normal(2, 3), normal(2), normal(), normal(1, 1))
cases("block_diag", normal(2, 2, 2), normal(1, 3))
cases("matrix_balance", A * [[1, 100, 1], [1, 1, 1], [0.01, 1, 1]])
cases("matrix_balance", Z * [[1, 100, 1], [1, 1, 1], [0.01, 1, 1]], separate=True)
cases("matrix_balance", A, permute=False)
for name in ("bandwidth", "issymmetric", "ishermitian"):
    cases(name, LOWER, without=known)

for name, instead in ours.REFUSED.items():
    cases.refuse(instead, name)
cases("clarkson_woodruff_transform", A, call=lambda f, a: f(a, 2, rng=0))
cases("cossin", np.linalg.qr(A)[0], p=1, q=1)
for name in ("qz", "ordqz"):
    cases(name, A, POSITIVE)
cases("qr_delete", *np.linalg.qr(A), call=lambda f, q, r: f(q, r, 0))
cases("qr_insert", *np.linalg.qr(A), B3, call=lambda f, q, r, u: f(q, r, u, 0))
cases("qr_update", *np.linalg.qr(A), B3, B3)
cases("rsf2csf", *scipy.linalg.schur(ROTATING))
cases.other("module", "basic", "blas", "cython_blas", "cython_lapack", "decomp", "decomp_cholesky",
            "decomp_lu", "decomp_qr", "decomp_schur", "decomp_svd", "lapack", "matfuncs", "misc",
            "special_matrices")  # fmt: skip
cases.other("error or warning", "LinAlgError", "LinAlgWarning")
cases.other("looks up routines of BLAS and LAPACK", "find_best_blas_type", "get_blas_funcs",
            "get_lapack_funcs")  # fmt: skip
cases.other("makes a constant matrix of a size", "dft", "hadamard", "helmert", "hilbert",
            "invhilbert", "invpascal", "pascal")  # fmt: skip
