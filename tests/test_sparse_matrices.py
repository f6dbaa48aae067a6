"""SciPy's sparse arrays inside differentiated functions, against the same with dense ones."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as sl
from hypothesis import given, settings
from hypothesis import strategies as st

import functorch_like as ft
from functorch_like.scipy import sparse as fsp

linalg = fsp.linalg
RNG = np.random.default_rng(0)
N = 5
D = RNG.normal(size=(N, N)) * (RNG.random((N, N)) < 0.5) + np.eye(N)
E = RNG.normal(size=(N, N)) * (RNG.random((N, N)) < 0.6)
W = RNG.normal(size=(N, N))
X, R = RNG.normal(size=N), RNG.normal(size=N)
RECT = D[:, :4]
FORMATS = ("csr", "csc", "coo", "dia", "bsr", "lil", "dok")
FAMILIES = ("array", "matrix")
BOTH = [f"{f}_{family}" for family in FAMILIES for f in FORMATS]

# --- constant arrays, traced vectors ----------------------------------------------------------

CONSTANT = {
    "A @ x": (lambda A, x: A @ x, lambda A, x: A @ x, (4,)),
    "A @ X": (lambda A, x: A @ x, lambda A, x: A @ x, (4, 3)),
    "x @ A": (lambda A, x: x @ A, lambda A, x: x @ A, (5,)),
    "X @ A": (lambda A, x: x @ A, lambda A, x: x @ A, (2, 5)),
    "A.T @ x": (lambda A, x: A.T @ x, lambda A, x: A.T @ x, (5,)),
    "A + X": (lambda A, x: A + x, lambda A, x: A + x, (5, 4)),
    "A - X": (lambda A, x: A - x, lambda A, x: A - x, (5, 4)),
    "X - A": (lambda A, x: x - A, lambda A, x: x - A, (5, 4)),
    "A * s": (lambda A, x: (A * x[0]).toarray(), lambda A, x: A * x[0], (1,)),
    "s * A": (lambda A, x: (x[0] * A).toarray(), lambda A, x: A * x[0], (1,)),
    "A / s": (lambda A, x: (A / x[0]).toarray(), lambda A, x: A / x[0], (1,)),
}
ARRAYS = {
    "A * x": (lambda A, x: (A * x).toarray(), lambda A, x: A * x, (4,)),
    "x * A": (lambda A, x: (x * A).toarray(), lambda A, x: A * x, (4,)),
    "A * column": (lambda A, x: (A * x).toarray(), lambda A, x: A * x, (5, 1)),
    "X * A": (lambda A, x: (x * A).toarray(), lambda A, x: A * x, (5, 4)),
    "A / x": (lambda A, x: (A / x).toarray(), lambda A, x: A / x, (4,)),
}
MATRICES = {
    "A * x": (lambda A, x: A * x, lambda A, x: A @ x, (4,)),
    "x * A": (lambda A, x: x * A, lambda A, x: x @ A, (5,)),
    "A.dot(x)": (lambda A, x: A.dot(x), lambda A, x: A @ x, (4,)),
}


@pytest.mark.parametrize("kind", BOTH)
def test_constant_sparse_arrays(kind: str) -> None:
    A = getattr(sp, kind)(RECT)
    cases = {**CONSTANT, **(ARRAYS if kind.endswith("array") else MATRICES)}
    for name, (f, g, shape) in cases.items():
        if name == "A.dot(x)" and kind.startswith("coo"):
            continue  # refused: test_errors
        x = np.random.default_rng(1).normal(size=shape)
        expected = ft.jacobian(lambda x, g=g: g(RECT, x))(x)
        jacobian = ft.jacobian(lambda x, f=f: f(A, x))
        np.testing.assert_allclose(jacobian(x), expected, atol=1e-12, err_msg=name)
        batched = ft.vmap(lambda x, f=f: f(A, x))(np.stack([x, 2 * x]))
        np.testing.assert_allclose(batched[1], g(RECT, 2 * x), atol=1e-12, err_msg=name)
    x = np.random.default_rng(1).normal(size=4)
    compiled = ft.jit(ft.jacobian(lambda x: (A @ x) ** 2))(x)
    np.testing.assert_allclose(compiled, 2 * (RECT @ x)[:, None] * RECT, atol=1e-12)


def test_other_dtypes() -> None:
    A = sp.csr_array(RECT)
    for dtype, wanted in ((np.float32, np.float64), (np.complex128, np.complex128)):
        x = np.ones(4, dtype)
        y, t = ft.jvp(lambda x: A @ x, (x,), (x,))
        assert y.dtype == t.dtype == wanted
        np.testing.assert_allclose(y, RECT.sum(1), rtol=1e-6)
    single = sp.csr_array(RECT.astype(np.float32))
    assert ft.grad(lambda x: np.sum(single @ x))(np.ones(4, np.float32)).dtype == np.float32
    counts = sp.csr_array(np.eye(3, dtype=int))
    np.testing.assert_array_equal(ft.grad(lambda x: np.sum(counts @ x))(np.ones(3)), 1)
    np.testing.assert_array_equal(ft.jit(lambda x: counts @ x)(np.ones(3)), 1)
    z = ft.grad(lambda x: np.sum(np.abs(sp.csr_array(D * 1j) @ x) ** 2))(X)
    np.testing.assert_allclose(z, 2 * D.T @ D @ X)


# --- differentiable arrays --------------------------------------------------------------------

B = sp.csr_array(E)
dense = lambda a: a.toarray() if hasattr(a, "toarray") else a
PROGRAMS = {
    "A @ x": (lambda A: np.sum(np.sin(A @ X)),) * 2,
    "x @ A": (lambda A: np.sum(np.sin(X @ A)),) * 2,
    "A @ (A @ x)": (lambda A: np.sum((A @ (A @ X)) ** 2),) * 2,
    "A @ X": (lambda A: np.sum((A @ W) ** 2),) * 2,
    "A @ A": (lambda A: np.sum((A @ A).toarray() * W), lambda A: np.sum((A @ A) * W)),
    "A.T @ A": (lambda A: np.sum((A.T @ A).toarray() * W), lambda A: np.sum((A.T @ A) * W)),
    "A @ B": (lambda A: np.sum((A @ B).toarray() * W), lambda A: np.sum((A @ E) * W)),
    "B @ A": (lambda A: np.sum((B @ A).toarray() * W), lambda A: np.sum((E @ A) * W)),
    "A + B": (lambda A: np.sum(((A + B) @ X) ** 2), lambda A: np.sum(((A + E) @ X) ** 2)),
    "B - A": (lambda A: np.sum(((B - A) @ X) ** 2), lambda A: np.sum(((E - A) @ X) ** 2)),
    "A + X": (lambda A: np.sum(np.asarray(A + W) ** 2) if _plain(A) else np.sum((A + W) ** 2),) * 2,
    "scaled": (lambda A: np.sum((2.5 * A / 3 + (-A)) @ X * R),) * 2,
    "sum": (lambda A: A.sum() ** 2,) * 2,
    "column sums": (lambda A: _sum(A.sum(axis=0) ** 2) if not _matrix(A) else _sums(A, 0),) * 2,
    "row sums": (lambda A: _sums(A, 1),) * 2,
    "mean": (lambda A: A.mean() ** 3,) * 2,
    "diagonal": (
        lambda A: np.sum(np.exp(A.diagonal(1))) + A.diagonal(-2) @ R[:3],
        lambda A: np.sum(np.exp(np.diagonal(A, 1))) + np.diagonal(A, -2) @ R[:3],
    ),
    "trace": (lambda A: A.trace() ** 2, lambda A: np.trace(A) ** 2),
    "power": (lambda A: np.sum(A.power(3) @ X), lambda A: np.sum(A**3 @ X)),
    "sin": (lambda A: np.sum(A.sin() @ X), lambda A: np.sum(np.sin(A) @ X)),
    "abs": (lambda A: np.sum(abs(A) @ X),) * 2,
    "multiply": (
        lambda A: np.sum(A.multiply(W).multiply(A) @ X) + np.sum(A.multiply(B).multiply(R) @ X),
        lambda A: np.sum((A * W * A) @ X) + np.sum((A * E * R) @ X),
    ),
    "csc": (lambda A: np.sum(np.cos(A.tocsc() @ X)), lambda A: np.sum(np.cos(A @ X))),
    "toarray": (lambda A: np.linalg.det(A.toarray()), np.linalg.det),
    "spsolve": (lambda A: np.sum(np.sin(linalg.spsolve(A, R))),
                lambda A: np.sum(np.sin(np.linalg.solve(A, R)))),
}  # fmt: skip
INDEXED = {
    "row": (lambda A: np.sum(dense(A[2]) ** 2 * R), lambda A: np.sum(A[2] ** 2 * R)),
    "slice": (lambda A: np.sum(A[1:4, ::2].toarray() ** 3), lambda A: np.sum(A[1:4, ::2] ** 3)),
    "element": (lambda A: A[0, 0] * A[1, 1] ** 2 + A[0, 1],) * 2,
    "fancy": (
        lambda A: np.sum(np.sin(A[[0, 1, 1]].toarray())),
        lambda A: np.sum(np.sin(A[[0, 1, 1]])),
    ),
}


def _plain(A):
    return sp.issparse(A) or isinstance(A, np.ndarray)


def _matrix(A):
    return isinstance(A, sp.spmatrix) or (
        isinstance(A, fsp.SparseArray) and "matrix" in A.form.kind.__name__
    )


def _sum(x):
    return np.sum(x)


def _sums(A, axis):
    made = A.sum(axis=axis)
    made = np.asarray(made) if isinstance(made, np.matrix) else made
    return np.sum(np.sin(made))


@pytest.mark.parametrize("kind", BOTH)
def test_derivatives_in_the_elements(kind: str) -> None:
    A = getattr(sp, kind)(D)
    mask = D != 0
    programs = dict(PROGRAMS)
    if kind[:3] not in ("csr", "csc"):  # what SciPy has for these only
        del programs["spsolve"], programs["sin"]
    if kind in ("csr_array", "csc_array", "csr_matrix", "coo_array"):
        programs.update(INDEXED)
    for name, (f, g) in programs.items():
        g = (lambda A: _sums(A, 0)) if name == "column sums" and _matrix(A) else g
        if not (kind.startswith("coo") and name in INDEXED):
            np.testing.assert_allclose(f(A), g(D), rtol=1e-10, err_msg=name)
        gradient = ft.grad(f)(A)
        reference = ft.grad(g)(D) * mask
        assert type(gradient) is type(A)
        np.testing.assert_allclose(gradient.toarray(), reference, atol=1e-10, err_msg=name)
        if kind != "csr_array":
            continue
        np.testing.assert_array_equal(gradient.indices, A.indices)
        tangent = ft.jvp(f, (A,), (2 * A,))[1]
        np.testing.assert_allclose(tangent, 2 * np.sum(reference * D), rtol=1e-9, atol=1e-11)
        _, second = ft.jvp(ft.grad(f), (A,), (A,))
        expected = ft.jvp(ft.grad(g), (D,), (D,))[1] * mask
        np.testing.assert_allclose(second.toarray(), expected, atol=1e-9, err_msg=name)
        if name not in ("A @ x", "A @ B", "B - A", "row sums", "multiply", "spsolve", "fancy"):
            continue  # compiling takes its time
        compiled = ft.jit(ft.grad(f))(A)
        np.testing.assert_allclose(compiled.toarray(), reference, atol=1e-10, err_msg=name)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6), st.floats(0, 1))
def test_patterns_drawn(seed: int, rows: int, columns: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    P = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < density)
    Q = rng.normal(size=(columns, rows)) * (rng.random((columns, rows)) < density)
    A, C = sp.csr_array(P), sp.csc_array(Q)

    def f(A, C):
        product = A @ C
        return np.sum((product + product.T).toarray() ** 2) + np.sum((A + C.T).power(3).sum(axis=0))

    def g(P, Q):
        product = P @ Q
        return np.sum((product + product.T) ** 2) + np.sum((P + Q.T) ** 3)

    found = ft.grad(f, argnums=(0, 1))(A, C)
    wanted = ft.grad(g, argnums=(0, 1))(P, Q)
    for sparse, reference, plain in zip(found, wanted, (P, Q), strict=True):
        np.testing.assert_allclose(sparse.toarray(), reference * (plain != 0), atol=1e-10)


def test_pytrees_and_transforms() -> None:
    A = sp.csr_array(D)
    params = {"A": A, "x": X}
    gradient = ft.grad(lambda p: np.sum((p["A"] @ p["x"]) ** 2))(params)
    np.testing.assert_allclose(gradient["A"].toarray(), 2 * np.outer(D @ X, X) * (D != 0))
    doubled = ft.jit(lambda A: A * 2.0)(A)
    assert isinstance(doubled, sp.csr_array)
    np.testing.assert_array_equal(doubled.toarray(), 2 * D)
    # one program for each pattern
    f = ft.jit(lambda A: A @ X)
    np.testing.assert_allclose(f(A), D @ X)
    np.testing.assert_allclose(f(sp.csr_array(E)), E @ X)
    np.testing.assert_allclose(f(sp.csr_array(2 * D)), 2 * D @ X)
    # batches of elements
    build = lambda data: fsp.csr_array((data, A.indices, A.indptr), shape=A.shape)
    stack = np.stack([A.data, 3 * A.data])
    np.testing.assert_allclose(ft.vmap(lambda d: build(d) @ X)(stack)[1], 3 * D @ X)
    solved = ft.vmap(lambda d: linalg.spsolve(build(d), R))(stack)
    np.testing.assert_allclose(solved[1], np.linalg.solve(3 * D, R))
    gradients = ft.vmap(ft.grad(lambda d: np.sum(linalg.spsolve(build(d), R) ** 2)))(stack)
    each = [ft.grad(lambda d: np.sum(linalg.spsolve(build(d), R) ** 2))(d) for d in stack]
    np.testing.assert_allclose(gradients, each, atol=1e-12)
    # loops: the array is a carry
    powers = lambda A: ft.fori_loop(0, 3, lambda i, c: (c[0], c[0] @ c[1]), (A, X))[1]
    np.testing.assert_allclose(ft.jit(powers)(A), D @ D @ D @ X)
    hessian = ft.hessian(lambda data: np.sum((build(data) @ X) ** 3))(A.data)
    np.testing.assert_allclose(hessian, hessian.T)
    _, terms = ft.jet(lambda A: linalg.spsolve(A, R), (A,), ([0.1 * A, 0 * A, 0 * A],))
    x = np.linalg.solve(D, R)  # of (1 + 0.1 s) A
    np.testing.assert_allclose(terms[2], -6 * 0.001 * x, rtol=1e-10)
    np.testing.assert_allclose(
        ft.laplacian(lambda x: np.sum((A @ x) ** 2))(X), 2 * np.sum(D**2), rtol=1e-12
    )


def test_constructors_of_traced_elements() -> None:
    rows, columns = np.array([2, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2])
    v = RNG.normal(size=5)
    cases = {
        "coo": (lambda m, v: m.coo_array((v, (rows, columns)), shape=(3, 3)), v),
        "csr of coo": (lambda m, v: m.csr_array((v, (rows, columns)), shape=(3, 4)), v),
        "csc": (lambda m, v: m.csc_array((v, [0, 2, 1, 0, 1], [0, 2, 3, 5]), shape=(3, 3)), v),
        "csr": (lambda m, v: m.csr_array((v, [2, 0, 1, 0, 1], [0, 2, 3, 5])), v),
        "dia": (lambda m, v: m.dia_array((v, [0, -1]), shape=(4, 4)), RNG.normal(size=(2, 4))),
        "diags": (lambda m, v: m.diags_array([v, v[1:]], offsets=[0, 1], shape=(5, 5)), v),
        "bsr": (lambda m, v: m.bsr_array((v, [1, 0], [0, 1, 2])), RNG.normal(size=(2, 2, 3))),
    }
    for name, (build, values) in cases.items():
        reference = build(sp, values)
        y = RNG.normal(size=reference.shape[1])
        made = lambda v, build=build, y=y: build(fsp, v) @ y
        np.testing.assert_allclose(made(values), reference @ y, err_msg=name)
        value, _ = ft.jvp(made, (values,), (values,))
        np.testing.assert_allclose(value, reference @ y, err_msg=name)
        jacobian = ft.jacobian(made)(values)
        linear = jacobian.reshape(len(value), -1) @ values.ravel()
        np.testing.assert_allclose(linear, value, atol=1e-12, err_msg=name)


def test_blocks() -> None:
    A = sp.csr_array(D)
    y = RNG.normal(size=10)
    cases = {
        "vstack": (lambda m, A: m.vstack([A, B]), lambda m: np.vstack([m, E])),
        "hstack": (lambda m, A: m.hstack([A, A], format="csr"), lambda m: np.hstack([m, m])),
        "block_diag": (lambda m, A: m.block_diag([A, B]), lambda m: np.block(
            [[m, 0 * m], [0 * m, E]])),
        "block_array": (lambda m, A: m.block_array([[A, None], [B, A]]), lambda m: np.block(
            [[m, 0 * m], [E, m]])),
        "kron": (lambda m, A: m.kron(A, B), lambda m: np.kron(m, E)),
    }  # fmt: skip
    for name, (f, g) in cases.items():
        v = np.resize(y, g(D).shape[1])
        np.testing.assert_allclose((f(fsp, A) @ v), g(D) @ v, err_msg=name)
        gradient = ft.grad(lambda A, f=f, v=v: np.sum(np.sin(f(fsp, A) @ v)))(A)
        expected = ft.grad(lambda m, g=g, v=v: np.sum(np.sin(g(m) @ v)))(D) * (D != 0)
        np.testing.assert_allclose(gradient.toarray(), expected, atol=1e-12, err_msg=name)
    with pytest.raises(ValueError, match="blocks of one size"):
        ft.grad(lambda A: fsp.vstack([A, sp.csr_array(np.eye(3))]).sum())(A)


# --- solvers ----------------------------------------------------------------------------------

SOLVABLE = RNG.normal(size=(8, 8)) * (RNG.random((8, 8)) < 0.4) + 4 * np.eye(8)
RIGHT = RNG.normal(size=8)
SOLVERS = {
    "spsolve": (lambda A, b: linalg.spsolve(A, b), "general", False),
    "spsolve columns": (
        lambda A, b: linalg.spsolve(A, np.stack([b, b**2], axis=1))[:, 1], "square", False),
    "splu": (lambda A, b: linalg.splu(A).solve(b), "general", False),
    "splu T": (lambda A, b: linalg.splu(A).solve(b, "T"), "general", True),
    "factorized": (lambda A, b: linalg.factorized(A)(b), "general", False),
    "gmres": (lambda A, b: linalg.gmres(A, b, rtol=1e-13)[0], "general", False),
    "gmres restarted": (
        lambda A, b: linalg.gmres(A, b, rtol=1e-13, restart=4)[0], "general", False),
    "bicgstab": (lambda A, b: linalg.bicgstab(A, b, rtol=1e-13)[0], "general", False),
    "cg": (lambda A, b: linalg.cg(A, b, rtol=1e-13)[0], "positive", False),
    "minres": (lambda A, b: linalg.minres(A, b, rtol=1e-13)[0], "positive", False),
    "cg with M": (
        lambda A, b: linalg.cg(A, b, rtol=1e-13, M=sp.diags_array(np.full(8, 0.1)))[0],
        "positive", False),
}  # fmt: skip


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers(name: str) -> None:
    f, kind, transposed = SOLVERS[name]
    m = SOLVABLE @ SOLVABLE.T if kind == "positive" else SOLVABLE
    A, mask = sp.csr_array(m), m != 0

    def g(m, b):
        return np.linalg.solve(m.T if transposed else m, b**2 if kind == "square" else b)

    np.testing.assert_allclose(f(A, RIGHT), g(m, RIGHT), atol=1e-9)
    scalar = lambda solve: lambda A, b: np.sum(np.sin(solve(A, b)))
    expected = ft.grad(scalar(g), argnums=(0, 1))(m, RIGHT)
    second = ft.jvp(ft.grad(scalar(g)), (m, RIGHT), (m, RIGHT))[1]
    compiled = name in ("spsolve", "splu T", "gmres", "cg", "minres", "bicgstab")
    for transform in (lambda f: f, ft.jit)[: 1 + compiled]:
        value = transform(lambda A, b: ft.jvp(f, (A, b), (A, b)))(A, RIGHT)
        reference = ft.jvp(g, (m, RIGHT), (m, RIGHT))
        np.testing.assert_allclose(value[0], reference[0], atol=1e-9)
        np.testing.assert_allclose(value[1], reference[1], atol=1e-9)
        in_matrix, in_b = transform(ft.grad(scalar(f), argnums=(0, 1)))(A, RIGHT)
        np.testing.assert_allclose(in_matrix.toarray(), expected[0] * mask, atol=1e-9)
        np.testing.assert_allclose(in_b, expected[1], atol=1e-9)
        if transform is ft.jit and name != "spsolve":
            continue  # compiling takes its time
        twice = transform(lambda A, b: ft.jvp(ft.grad(scalar(f)), (A, b), (A, b))[1])(A, RIGHT)
        np.testing.assert_allclose(twice.toarray(), second * mask, atol=1e-8)
    batch = np.stack([RIGHT, 2 * RIGHT])
    solved = ft.vmap(lambda b: f(A, b))(batch)
    np.testing.assert_allclose(solved, [g(m, b) for b in batch], atol=1e-8)


def test_factors_are_used_again() -> None:
    from functorch_like.kernels.cpu import sparse as kernels

    A = sp.csc_array(SOLVABLE * 1.25)
    made = []
    find = sl.splu

    def counted(*args, **kwargs):
        made.append(1)
        return find(*args, **kwargs)

    kernels._factors.held.clear()
    sl.splu = counted
    try:
        ft.jvp(ft.grad(lambda A: np.sum(linalg.spsolve(A, RIGHT) ** 2)), (A,), (A,))
    finally:
        sl.splu = find
    assert len(made) == 1


def test_operators_and_functions() -> None:
    d = np.linspace(1.0, 3.0, 8)
    closed = lambda d: linalg.gmres(lambda v: d * v + 0.1 * np.roll(v, 1), RIGHT, rtol=1e-13)[0]
    matrix = lambda d: np.diag(d) + 0.1 * np.roll(np.eye(8), 1, axis=0)
    expected = ft.jacobian(lambda d: np.linalg.solve(matrix(d), RIGHT))(d)
    np.testing.assert_allclose(ft.jacobian(closed)(d), expected, atol=1e-10)
    np.testing.assert_allclose(ft.jit(ft.jacobian(closed))(d), expected, atol=1e-10)

    def by_operator(d):
        apply = lambda v: d * v
        operator = sl.LinearOperator((8, 8), matvec=apply, dtype=np.float64)
        return linalg.cg(operator, RIGHT, rtol=1e-13)[0]

    np.testing.assert_allclose(ft.jacobian(by_operator)(d), np.diag(-RIGHT / d**2), atol=1e-10)
    A = sp.csc_array(SOLVABLE)
    M = sl.LinearOperator((8, 8), matvec=sl.spilu(A).solve)
    f = lambda b: linalg.bicgstab(A, b, rtol=1e-12, M=M)[0]
    np.testing.assert_allclose(ft.jacobian(f)(RIGHT), np.linalg.inv(SOLVABLE), atol=1e-9)
    x, info = ft.jvp(lambda b: linalg.cg(A @ A.T, b, maxiter=1), (RIGHT,), (RIGHT,))[0]
    assert info == 1
    assert x.shape == (8,)
    z = (SOLVABLE + 1j * E[0, 0] * np.eye(8)).astype(complex)
    complex_solve = lambda b: linalg.gmres(sp.csr_array(z), b, rtol=1e-13)[0]
    np.testing.assert_allclose(
        ft.jvp(complex_solve, (RIGHT + 0j,), (RIGHT + 0j,))[1], np.linalg.solve(z, RIGHT)
    )


SYMMETRIC = SOLVABLE + SOLVABLE.T + np.diag(np.arange(8.0) * 2)
WEIGHTS, PLACES = np.arange(1.0, 3.0), np.arange(8.0)


def spectrum(w, v):
    return np.sum(np.abs(w) ** 2 * WEIGHTS) + np.sum((np.abs(v) ** 2 @ WEIGHTS) * PLACES)


def eig_reference(m):
    w, v = np.linalg.eig(m)
    chosen = np.argsort(-np.abs(ft.stop_gradient(w)))[:2]
    return spectrum(w[chosen], v[:, chosen])


def svd_reference(m):
    u, s, vh = np.linalg.svd(m)
    u, s, vh = u[:, :2][:, ::-1], s[:2][::-1], vh[:2][::-1]
    return spectrum(s, u) + np.sum(vh**2 * PLACES)


def svd_sparse(A):
    u, s, vh = linalg.svds(A, 2)
    return spectrum(s, u) + np.sum(vh**2 * PLACES)


def eigh_reference(m):
    w, v = np.linalg.eigh(m)
    return spectrum(w[-2:], v[:, -2:])


EIGEN = {
    "eigsh": (lambda A: spectrum(*linalg.eigsh(A, 2, which="LA")), eigh_reference, SYMMETRIC),
    "eigs": (lambda A: spectrum(*linalg.eigs(A, 2)), eig_reference, SOLVABLE + np.diag(PLACES)),
    "svds": (svd_sparse, svd_reference, SOLVABLE + np.diag(PLACES)),
    "expm_multiply": (
        lambda A: np.sum(np.sin(linalg.expm_multiply(A * 0.2, RIGHT))),
        lambda m: np.sum(np.sin(ft.scipy.linalg.expm(m * 0.2) @ RIGHT)),
        SOLVABLE,
    ),
    "norm": (
        lambda A: linalg.norm(A) + linalg.norm(A, 1) ** 2,
        lambda m: np.linalg.norm(m) + np.max(np.sum(np.abs(m), axis=0)) ** 2,
        SOLVABLE,
    ),
}


@pytest.mark.parametrize("name", EIGEN)
def test_eigenproblems_and_exponentials(name: str) -> None:
    f, g, m = EIGEN[name]
    A, mask = sp.csr_array(m), m != 0
    part = (lambda x: (x + x.T) / 2) if name == "eigsh" else (lambda x: x)
    expected = part(ft.grad(g)(m) * mask)
    second = part(ft.jvp(ft.grad(g), (m,), (m,))[1] * mask)
    for transform in (lambda f: f, ft.jit):
        np.testing.assert_allclose(transform(f)(A), g(m), rtol=1e-10)
        gradient = transform(ft.grad(f))(A).toarray()
        np.testing.assert_allclose(part(gradient), expected, atol=1e-9, rtol=1e-9)
        if transform is ft.jit and name != "eigsh":
            continue
        twice = transform(lambda A: ft.jvp(ft.grad(f), (A,), (A,))[1])(A).toarray()
        np.testing.assert_allclose(part(twice), second, atol=1e-8, rtol=1e-8)


def test_equal_eigenvalues_keep_their_sum() -> None:
    m = sp.csr_array(np.diag([1.0, 5.0, 5.0, 2.0, 3.0]))
    gradient = ft.grad(lambda A: np.sum(linalg.eigsh(A, 2)[0]))(m)
    np.testing.assert_allclose(gradient.diagonal(), [0, 1, 1, 0, 0], atol=1e-12)


def test_plain_arguments_go_to_scipy() -> None:
    A = sp.csc_array(SOLVABLE)
    np.testing.assert_array_equal(linalg.spsolve(A, RIGHT), sl.spsolve(A, RIGHT))
    np.testing.assert_array_equal(linalg.gmres(A, RIGHT)[0], sl.gmres(A, RIGHT)[0])
    assert linalg.splu(A).L.shape == (8, 8)
    assert fsp.eye_array(3).shape == (3, 3)
    assert linalg.spilu is sl.spilu
    w = linalg.eigsh(sp.csr_array(SYMMETRIC), 2, which="LA", return_eigenvectors=False)
    np.testing.assert_allclose(np.sort(w), np.linalg.eigvalsh(SYMMETRIC)[-2:])


# --- errors -----------------------------------------------------------------------------------

SINGULAR = sp.csc_array(np.array([[1.0, 0.0], [0.0, 0.0]]))
WITH_NAN = sp.csr_array(np.array([[np.nan, 1.0], [1.0, 2.0]]))
CSR = sp.csr_array(D)


@pytest.mark.parametrize(
    ("f", "x", "kind", "text"),
    [
        (lambda x: CSR.multiply(x).sum(), X, ft.errors.ConcreteValueError, "write A . x, or"),
        (lambda x: np.sum(sp.coo_array(D).dot(x)), X, TypeError, "write A @ x"),
        (lambda x: np.sum(CSR @ x), np.ones(3), ValueError, r"shape \(5, 5\).*shape \(3,\)"),
        (lambda x: np.sum(x @ CSR), np.ones(3), ValueError, "dimension mismatch"),
        (lambda x: np.sum((CSR + x[0]).data), X, NotImplementedError, "nonzero scalar"),
        (lambda x: (CSR * x).sum(), np.ones((2, 5, 5)), ValueError, "inconsistent shapes"),
        (lambda A: np.sum(np.asarray(A)), CSR, TypeError, r"write A.toarray\(\)|toarray"),
        (lambda A: np.sum(sl.spsolve(A, R)), CSR, TypeError, "spsolve was given a sparse array"),
        (lambda A: sp.vstack([A, A]).sum(), CSR, TypeError, "vstack was given a sparse array"),
        (lambda A: sl.eigsh(A, 1)[0][0], CSR, TypeError, "functorch_like.scipy.sparse.linalg"),
        (lambda x: np.sum(sl.spsolve(CSR, x)), R, TypeError, "Write functorch_like.scipy.sparse"),
        (lambda A: (A / A).sum(), CSR, TypeError, "NaN where both are zero"),
        (lambda A: A.power(-1).sum(), CSR, ValueError, "positive exponent"),
        (lambda A: (A @ sp.csr_array(RECT.T)).sum(), CSR, ValueError, "dimension mismatch"),
        (lambda A: A.sum(), sp.csr_array(np.eye(2, dtype=int)), TypeError, "floating-point"),
        (lambda A: linalg.spsolve(A, R[:3]).sum(), CSR, ValueError, "5 elements.*got 3"),
        (lambda A: linalg.spsolve(A, CSR).sum(), CSR, TypeError, r"b.toarray\(\)"),
        (lambda A: linalg.spsolve(A, np.ones(2)).sum(), SINGULAR, np.linalg.LinAlgError, "singul"),
        (lambda A: linalg.spsolve(A, np.ones(2)).sum(), WITH_NAN, ValueError, "NaN"),
        (lambda A: linalg.spsolve(A, R).sum(), D, TypeError, "np.linalg.solve"),
        (lambda A: linalg.splu(A).L.sum(), CSR, AttributeError, "only solve"),
        (lambda A: linalg.splu(A).solve(R, "X").sum(), CSR, ValueError, "'N', 'T' or 'H'"),
        (lambda A: linalg.cg(A, R[:3])[0].sum(), CSR, ValueError, "got 3"),
        (lambda A: linalg.eigsh(A, 9)[0].sum(), CSR, ValueError, "between 1 and 4"),
        (lambda A: linalg.eigsh(A, 2)[0].sum(), D, TypeError, "np.linalg.eigh"),
        (lambda A: linalg.eigsh(A, 2, M=CSR)[0].sum(), CSR, TypeError, "argument M"),
        (lambda A: linalg.svds(A, 2, which="SM")[1].sum(), CSR, NotImplementedError, "eigsh"),
        (lambda A: linalg.expm_multiply(A, R, 0, 1).sum(), CSR, TypeError, "once a time"),
        (
            lambda v: fsp.csr_array((v, [7, 0], [0, 1, 2]), shape=(2, 2)).sum(),
            np.ones(2),
            ValueError,
            "between 0 and 1",
        ),
    ],
)
def test_errors(f, x, kind, text) -> None:
    with pytest.raises(kind, match=text):
        ft.grad(f)(x)


def test_batches_of_derivatives_of_solutions() -> None:
    """Lanes of a batch need not lie in one piece of memory."""
    rows, columns = np.nonzero(D)
    dense = lambda p: np.sum(np.sin(np.linalg.solve(D * p, R * p * p)))
    sparse = lambda p: fsp.csr_array((D[rows, columns] * p, (rows, columns)), shape=(N, N))
    f = lambda p: np.sum(np.sin(linalg.spsolve(sparse(p), R * p * p)))
    p = np.array([1.0, 1.3])
    for transform in (ft.grad, ft.jacfwd):
        got, want = (ft.vmap(transform(g))(p) for g in (f, dense))
        np.testing.assert_allclose(got, want, rtol=1e-9)
