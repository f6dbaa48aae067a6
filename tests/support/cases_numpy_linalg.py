"""Calls of numpy.linalg: every keyword, stacks, complex matrices, empty ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from support.cases import Cases

rng = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def complex_(*shape: int) -> np.ndarray:
    return normal(*shape) + 1j * normal(*shape)


def adjoint(a: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(a, -1, -2))


RAMP = np.diag([2.0, 4.0, 7.0])
A, B, V = normal(3, 3) / 4 + RAMP, normal(3, 2), normal(3)  # distinct eigenvalues
S = normal(2, 3, 3) / 4 + RAMP  # a stack
Z, ZB = complex_(3, 3) / 4 + RAMP, complex_(3, 2)
H, HZ = A + A.T, Z + adjoint(Z)
HS = S + adjoint(S)
TALL, WIDE, ZTALL = normal(4, 3), normal(2, 4), complex_(4, 3)
EMPTY = np.empty((0, 0))


def symmetric(**keywords: Any) -> Callable:
    """Call with the Hermitian part: the functions of Hermitian matrices read one triangle."""
    return lambda f, a: f((a + np.conj(np.swapaxes(a, -1, -2))) / 2, **keywords)


def phaseless(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The columns that ``read`` picks times their adjoints, which takes their phases away."""

    def of(found: Any) -> Any:
        q = read(found)
        return q[..., :, None, :] * np.conj(q[..., None, :, :])

    return of


cases = Cases(np.linalg, "functorch_like.numpy.linalg")

# --- products ------------------------------------------------------------------------------

cases("matmul", A, B)
cases("matmul", S, complex_(2, 3, 2))
cases("matmul", S, V)
cases("outer", V, normal(2))
cases("outer", complex_(2), V)
cases("cross", normal(2, 3), normal(2, 3))
cases("cross", normal(3, 2), complex_(3, 2), axis=0)
cases("tensordot", normal(2, 3, 4), normal(3, 4))
cases("tensordot", normal(2, 3, 4), normal(4, 3), axes=1)
cases("tensordot", normal(2, 3, 4), complex_(4, 3), axes=((1, 2), (1, 0)))
cases("tensordot", V, B, axes=0)
cases("vecdot", complex_(2, 3), complex_(2, 3))
cases("vecdot", normal(3, 2), normal(3, 2), axis=0)
cases("multi_dot", V, A, B, call=lambda f, *xs: f(list(xs)))
cases("multi_dot", A, TALL.T, normal(4, 5), normal(5), call=lambda f, *xs: f(xs))
cases("multi_dot", Z, B, call=lambda f, *xs: f(xs))
cases("matrix_transpose", TALL)
cases("matrix_transpose", complex_(2, 3, 4))
cases("diagonal", TALL, offset=-1)
cases("diagonal", normal(2, 3, 4), offset=1)
cases("trace", TALL, offset=-1)
cases("trace", complex_(2, 3, 4), offset=1)
cases("trace", S.astype(np.float32).astype(float), dtype=complex)
for n in (0, 1, 2, 3, 5, -1, -3):
    cases("matrix_power", A, n=n, tolerance=1e-4)
cases("matrix_power", complex_(2, 2, 2) + np.eye(2) * 3, n=-2)

# --- solutions -----------------------------------------------------------------------------

cases("solve", A, B)
cases("solve", A, V)
cases("solve", S, ZB)
cases("solve", Z, normal(2, 3, 2))
cases("solve", EMPTY, np.empty((0, 2)))
for a in (A, S, Z, EMPTY, np.empty((0, 2, 2))):
    cases("inv", a)
    cases("det", a)
    cases("slogdet", a)
cases("pinv", TALL)
cases("pinv", WIDE, rcond=1e-8)
cases("pinv", ZTALL, rtol=1e-9)
cases("pinv", TALL, rtol=None)
cases("pinv", normal(2, 3, 4), np.array([1e-9, 1e-8]), call=lambda f, a, r: f(a, r))
cases("pinv", H, call=symmetric(hermitian=True))
cases("pinv", HZ, call=symmetric(hermitian=True, rtol=1e-10))
cases("pinv", np.empty((3, 0)))
cases("lstsq", TALL, normal(4))
cases("lstsq", TALL, complex_(4, 2), rcond=1e-10)
cases("lstsq", WIDE, normal(2), rcond=-1)
cases("lstsq", A, B, rcond=None)
cases("tensorinv", normal(4, 6, 8, 3), tolerance=1e-4)
cases("tensorinv", normal(6, 2, 3), ind=1)
cases("tensorsolve", normal(2, 3, 6), normal(2, 3))
cases("tensorsolve", normal(2, 6, 3), normal(2, 3), axes=(1,))

# --- factorisations ------------------------------------------------------------------------

cases("cholesky", A @ A.T, call=symmetric())
cases("cholesky", Z @ adjoint(Z), call=symmetric(upper=True))
cases("cholesky", S @ adjoint(S), call=symmetric())
cases("cholesky", EMPTY, call=symmetric())
for a in (TALL, WIDE, S, Z):
    cases("qr", a)
    cases("qr", a, mode="r")
cases("qr", normal(3, 4), mode="complete")
cases("qr", TALL, call=lambda f, a: f(a, "complete")[1])
for a in (TALL, WIDE, S, EMPTY):
    cases("svd", a, full_matrices=False)
    cases("svd", a, compute_uv=False)
    cases("svdvals", a)
cases("svd", A)
cases("svd", ZTALL, call=lambda f, a: phaseless(lambda r: r.U)(f(a, False)))
cases("svd", Z, call=lambda f, a: phaseless(lambda r: np.conj(r.Vh).T)(f(a)))
cases("svd", HS, call=symmetric(hermitian=True))
cases("svd", HZ, call=symmetric(hermitian=True, compute_uv=False))
for uplo in "LU":
    cases("eigh", HS, call=symmetric(UPLO=uplo))
    cases("eigvalsh", HZ, call=symmetric(UPLO=uplo))
cases("eigh", HZ, call=lambda f, a: phaseless(lambda r: r[1])(symmetric()(f, a)))
cases("eigh", EMPTY, call=symmetric())
cases("eigvalsh", EMPTY, call=symmetric())
for a in (A, S, Z):
    cases("eig", a)
    cases("eigvals", a)
cases("eigvals", np.array([[0.2, 1.0], [-1.3, 0.1]]))  # a complex pair of a real matrix

# --- norms ---------------------------------------------------------------------------------

for a in (TALL, Z):
    for order in (None, "fro", "nuc", np.inf, -np.inf, 1, -1, 2, -2):
        cases("norm", a, ord=order)
        cases("norm", a[None], ord=order, axis=(2, 1), keepdims=True)
        cases("matrix_norm", a[None], ord=order or "fro", keepdims=order == 1)
for a in (TALL, ZTALL):
    for order in (None, np.inf, -np.inf, 0, 1, -1, 2, -2, 3, 2.5, 0.5, -1.5):
        cases("norm", a[0], ord=order)
        cases("norm", a, ord=order, axis=-2, keepdims=True)
        cases("vector_norm", a[None], ord=2 if order is None else order, axis=(2, 0))
        cases("vector_norm", a, ord=2 if order is None else order, keepdims=True)
cases("norm", normal(2, 2, 3))
cases("norm", np.empty(0))
cases("norm", np.empty((2, 0)), ord=np.inf)
cases("norm", np.empty((2, 0)), axis=1)
cases("vector_norm", np.empty((2, 0)), axis=1, ord=1)
for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro", "nuc"):
    cases("cond", S, p=p)
    cases("cond", Z, p=p)
cases("cond", TALL)
cases("matrix_rank", TALL)
cases("matrix_rank", S, tol=1e-3)
cases("matrix_rank", S, np.array([1e-3, 10.0]), call=lambda f, a, t: f(a, t))
cases("matrix_rank", HZ, call=symmetric(hermitian=True, rtol=1e-9))
cases("matrix_rank", V)

cases.other("an exception", "LinAlgError")
