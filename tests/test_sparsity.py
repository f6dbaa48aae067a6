"""Sparse Jacobians and Hessians: values, plans, options, errors, pictures."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import pathlib
import subprocess
import sys
from typing import Any

import matplotlib
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
from strict_device import DeviceArray, to_device, to_host

import functorch_like as ft
from functorch_like.sparsity.coloring import ORDERS

matplotlib.use("Agg")

plan_jacobian, plan_hessian = ft.sparsity.plan_jacobian, ft.sparsity.plan_hessian


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def heat(u: Any) -> Any:
    """A nonlinear residual on a grid: the five-point Laplacian and a source."""
    inner = u[1:-1, 1:-1]
    around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
    return around - 4 * inner - np.exp(inner)


POINT = np.random.default_rng(0).normal(size=30)


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("coloring", ["star", "acyclic"])
@pytest.mark.parametrize("order", ORDERS)
def test_hessian_of_rosenbrock(coloring: str, order: str) -> None:
    """SciPy has the Hessian in closed form."""
    jit = order == "natural"
    made = ft.sparse_hessian(rosenbrock, coloring=coloring, order=order, jit=jit)(POINT)
    assert isinstance(made, scipy.sparse.csr_array)
    want = scipy.optimize.rosen_hess(POINT)
    np.testing.assert_allclose(made.toarray(), want, rtol=1e-10, atol=1e-9)
    assert made.nnz == 3 * 30 - 2
    assert abs(made - made.T).max() == 0  # symmetric to the last bit


@pytest.mark.parametrize("jit", [True, False])
@pytest.mark.parametrize("mode", ["auto", "column", "row", "bidirectional"])
def test_jacobian_of_a_residual(mode: str, jit: bool) -> None:
    u = np.random.default_rng(1).normal(size=(7, 6))
    plan = plan_jacobian(heat, u, mode=mode, jit=jit)
    made = plan(u)
    assert made.shape == (5 * 4, 7 * 6) and made.nnz == 5 * 5 * 4
    grid = np.arange(42).reshape(7, 6)
    want = np.zeros((20, 42))
    for k, (i, j) in enumerate(np.ndindex(5, 4)):  # by hand
        for di, dj in ((0, 1), (2, 1), (1, 0), (1, 2)):
            want[k, grid[i + di, j + dj]] = 1.0
        want[k, grid[i + 1, j + 1]] = -4 - np.exp(u[i + 1, j + 1])
    np.testing.assert_allclose(made.toarray(), want, rtol=1e-14)


def test_other_values_and_other_arguments() -> None:
    def f(x: Any, data: Any, scale: Any) -> Any:
        return scale * np.sum((x[1:] - data * x[:-1]) ** 4)

    data = np.arange(1.0, 30.0)
    plan = plan_hessian(f, POINT, np.zeros(29), 2.0)
    for x, scale in ((POINT, 3.0), (POINT**2, -1.5)):
        want = ft.hessian(f)(x, data, scale)
        np.testing.assert_allclose(plan(x, data, scale).toarray(), want, rtol=1e-10)


def test_hessian_of_a_lagrangian() -> None:
    def objective(x: Any) -> Any:
        return np.sum(np.cos(x[:-1]) * x[1:] ** 2)

    def constraints(x: Any) -> Any:
        return {"products": x[:-2] * x[2:], "sphere": np.sum(x**2)}

    def lagrangian(x: Any, multipliers: Any, sigma: Any) -> Any:
        c = constraints(x)
        return (
            sigma * objective(x)
            + multipliers["products"] @ c["products"]
            + multipliers["sphere"] * c["sphere"]
        )

    multipliers = {"products": np.arange(28.0), "sphere": 0.5}
    plan = plan_hessian(lagrangian, POINT, multipliers, 1.0)
    want = ft.hessian(lagrangian)(POINT, multipliers, 0.3)
    np.testing.assert_allclose(plan(POINT, multipliers, 0.3).toarray(), want, atol=1e-12)
    assert plan.nnz == 30 + 2 * 29 + 2 * 28
    jacobian = ft.sparse_jacobian(constraints)(POINT)
    assert jacobian.shape == (29, 30) and jacobian.nnz == 2 * 28 + 30
    np.testing.assert_allclose(jacobian.toarray()[28], 2 * POINT)


def test_pytrees_and_several_arguments() -> None:
    """One matrix: rows and columns are raveled leaves, one after the other."""

    def f(a: Any, shared: Any, b: Any) -> Any:
        return {"first": a["u"] * shared, "second": (b[:, 0] * a["v"], np.sum(b**2, axis=0))}

    args = {"u": POINT[:4], "v": POINT[4]}, 3.0, POINT[:6].reshape(3, 2)
    made = ft.sparse_jacobian(f, argnums=(0, 2))(*args).toarray()
    dense = ft.jacobian(f, argnums=(0, 2))(*args)
    rows = []
    for leaf in (dense["first"], *dense["second"]):
        flat = [*ft.tree.leaves(leaf[0]), leaf[1]]
        rows.append(
            np.concatenate([j.reshape(-1, n) for j, n in zip(flat, (4, 1, 6), strict=True)], axis=1)
        )
    np.testing.assert_allclose(made, np.concatenate(rows))
    scalar = lambda *xs: np.sum(np.sin(f(*xs)["first"])) * np.sum(f(*xs)["second"][0] ** 2)
    hessian = ft.sparse_hessian(scalar, argnums=(0, 2))(*args).toarray()
    flat = np.concatenate([args[0]["u"], [args[0]["v"]], args[2].ravel()])
    unraveled = lambda z: scalar({"u": z[:4], "v": z[4]}, 3.0, z[5:].reshape(3, 2))
    np.testing.assert_allclose(hessian, ft.hessian(unraveled)(flat), atol=1e-12)


def test_dtypes() -> None:
    single = POINT.astype(np.float32)
    made = ft.sparse_hessian(rosenbrock)(single)
    assert made.dtype == np.float32
    want = scipy.optimize.rosen_hess(POINT)
    np.testing.assert_allclose(made.toarray(), want, rtol=1e-4, atol=1e-2)
    z = POINT + 1j
    made = ft.sparse_jacobian(lambda z: z[1:] * z[:-1] ** 2, holomorphic=True)(z)
    assert made.dtype == np.complex128
    np.testing.assert_allclose(made.toarray()[0, :2], [2 * z[0] * z[1], z[0] ** 2])
    made = ft.sparse_hessian(lambda z: np.sum(z**3), holomorphic=True)(z)
    np.testing.assert_allclose(made.diagonal(), 6 * z)
    made = ft.sparse_jacobian(lambda x: np.exp(1j * x))(POINT)
    np.testing.assert_allclose(made.diagonal(), 1j * np.exp(1j * POINT))


def test_empty_and_constant() -> None:
    assert ft.sparse_hessian(lambda x: np.sum(x**2))(np.zeros(0)).shape == (0, 0)
    assert ft.sparse_jacobian(lambda x: x[:0])(POINT).shape == (0, 30)
    constant = ft.sparse_jacobian(lambda x: np.ones(3))(POINT.astype(np.float32))
    assert constant.shape == (3, 30) and constant.nnz == 0
    linear = ft.sparse_hessian(np.sum)(POINT.astype(np.float32))
    assert linear.nnz == 0 and linear.dtype == np.float32
    assert ft.sparse_hessian(lambda x: x**3)(2.0).toarray() == 12.0
    assert ft.sparse_jacobian(lambda x: np.floor(x).astype(int))(POINT).nnz == 0


def test_chunks_and_formats() -> None:
    f = lambda x: np.convolve(x**2, np.ones(7))
    want = ft.jacfwd(f)(POINT)
    for chunk_size in (3, 100):
        made = plan_jacobian(f, POINT, chunk_size=chunk_size)(POINT)
        np.testing.assert_allclose(made.toarray(), want)
    for format in ("csr", "csc", "coo"):
        plans = [
            plan_jacobian(f, POINT, format=format),
            plan_hessian(lambda x: np.sum(f(x) ** 2), POINT, format=format, coloring="acyclic"),
        ]
        for plan, dense in zip(
            plans, (want, ft.hessian(lambda x: np.sum(f(x) ** 2))(POINT)), strict=True
        ):
            made = plan(POINT)
            assert made.format == format
            np.testing.assert_allclose(made.toarray(), dense, atol=1e-9)
            np.testing.assert_array_equal(plan.values(POINT), made.data)


def test_a_pattern_of_ones_own() -> None:
    f = lambda x: np.sum(x) * x
    made = ft.sparse_jacobian(f, pattern=np.ones((3, 3)))(np.arange(3.0))
    np.testing.assert_allclose(made.toarray(), ft.jacfwd(f)(np.arange(3.0)))
    shape = ft.sparse_hessian(lambda x: np.sum(x**2), pattern=scipy.sparse.eye_array(30))(POINT)
    assert shape.nnz == 30


# --- plans ---------------------------------------------------------------------------------------


def test_what_a_plan_tells() -> None:
    plan = plan_hessian(rosenbrock, np.ones(5))
    assert plan.shape == (5, 5) and plan.nnz == 13 and plan.kind == "star"
    np.testing.assert_array_equal(
        plan.pattern.toarray(), np.abs(np.subtract.outer(*[range(5)] * 2)) < 2
    )
    assert plan.pattern.dtype == bool
    assert plan.n_colors == 3 == plan.colors.max() + 1
    assert repr(plan) == (
        "<hessian 5 x 5: 13 entries (0.52 of all), star colouring, natural order: 3 colours>"
    )
    both = plan_jacobian(lambda x: np.append(x[0] * x, np.sum(x)), np.ones(9), mode="bidirectional")
    rows, columns = both.colors
    assert rows.shape == (10,) and columns.shape == (9,)
    assert "(2 of columns, 1 of rows)" in repr(both)
    assert plan_jacobian(np.sum, np.ones(9)).kind == "row"
    assert plan_jacobian(lambda x: x * x[0], np.ones(9)).kind == "column"


def test_the_caller_owns_what_a_plan_returns() -> None:
    plan = plan_jacobian(lambda x: x**2, np.ones(4))
    first = plan(np.zeros(4))
    first.eliminate_zeros()
    first.indices[:] = 0
    plan.pattern.indices[:] = 0
    np.testing.assert_array_equal(plan(np.ones(4)).toarray(), 2 * np.eye(4))


def test_values_compose() -> None:
    plan = plan_hessian(lambda x, p: np.sum(p * x**4), np.ones(3), np.ones(3))
    x, p = np.arange(3.0), np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(ft.jit(plan.values)(x, p), 12 * p * x**2)
    np.testing.assert_allclose(ft.jacobian(plan.values)(x, p), np.diag(24 * p * x))
    batch = ft.vmap(plan.values, in_axes=(0, None))(np.stack([x, 2 * x]), p)
    np.testing.assert_allclose(batch, [12 * p * x**2, 48 * p * x**2])
    assert plan.values(x, p).shape == (plan.nnz,)


def test_each_shape_has_its_plan() -> None:
    count = []

    def f(x: Any) -> Any:
        count.append(x.shape)
        return np.sum(x[1:] * x[:-1] ** 2)

    hessian = ft.sparse_hessian(f)
    for n in (4, 9, 4, 9, 4):
        np.testing.assert_allclose(hessian(np.ones(n)).toarray(), ft.hessian(f)(np.ones(n)))
    assert hessian.plan(np.ones(4)) is hessian.plan(np.zeros(4))
    assert hessian.plan(np.ones(4)) is not hessian.plan(np.ones(9))
    before = len(count)
    hessian(np.ones(4))
    assert len(count) == before  # nothing is staged again


def test_arrays_that_f_closes_over() -> None:
    matrix = np.diag(np.arange(1.0, 6.0))
    f = lambda x: matrix @ x
    plan, jacobian = plan_jacobian(f, np.ones(5)), ft.sparse_jacobian(f)
    jacobian(np.ones(5))
    matrix[2, 2] = 7.0  # the pattern stays: nothing is wrong
    assert plan(np.ones(5)).toarray()[2, 2] == 7.0
    matrix[0, 4] = 3.0
    with pytest.raises(ValueError, match=r"closes over .* 1 entries are new .* make a new plan"):
        plan(np.ones(5))
    np.testing.assert_allclose(jacobian(np.ones(5)).toarray(), matrix)


def test_large_problem() -> None:
    """10^5 unknowns, against the closed form of the three diagonals."""
    x = np.random.default_rng(0).normal(size=100_000)
    made = ft.sparse_hessian(rosenbrock)(x)
    diagonal = np.zeros_like(x)
    diagonal[:-1] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    diagonal[1:] += 200
    np.testing.assert_allclose(made.diagonal(), diagonal, rtol=1e-9, atol=1e-8)
    np.testing.assert_allclose(made.diagonal(1), -400 * x[:-1], rtol=1e-12)
    assert made.nnz == 299_998


# --- errors --------------------------------------------------------------------------------------


def branching(x: Any) -> Any:
    return np.sum(x**2) if x[0] > 0 else np.sum(x)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: ft.sparse_hessian(lambda x: x * 2)(POINT), TypeError, r"sparse_hessian\(<lambda>\): expected a scalar result; got shape \(30,\); sum it"),
        (lambda: plan_hessian(np.sum, np.arange(3)), TypeError, r"plan_hessian\(sum\): expected real .* got int64 .* x.astype\(float\)"),
        (lambda: ft.sparse_jacobian(np.sin)(3), TypeError, r"sparse_jacobian\(sin\): expected real .* got int64 .* write 3.0"),
        (lambda: plan_hessian(np.sum, POINT)(POINT[1:]), TypeError, r"expected an array of shape \(30,\) for leaf 0 of the arguments, as planned; got \(29,\); make a plan"),
        (lambda: plan_hessian(np.sum, POINT)(POINT.astype("f4")), TypeError, r"expected float64 .* got float32; write x.astype\(np.float64\)"),
        (lambda: plan_hessian(np.sum, POINT)([POINT]), TypeError, "structured as planned"),
        (lambda: plan_hessian(np.sum, POINT)(POINT, POINT), TypeError, "structured as planned"),
        (lambda: plan_hessian(lambda x, y: np.sum(x * y), POINT, POINT)(POINT, POINT[1:]), TypeError, "for leaf 1 of the arguments"),
        (lambda: plan_hessian(branching, POINT), ft.errors.ConcreteValueError, "test_sparsity.py:.*functorch_like's cond"),
        (lambda: ft.jit(ft.sparse_hessian(rosenbrock))(POINT), TypeError, r"expected arrays; got a traced one of shape \(30,\).*plan.values"),
        (lambda: ft.jit(plan_hessian(rosenbrock, POINT))(POINT), TypeError, "expected plain arrays; got traced ones.*plan.values"),
        (lambda: ft.jit(plan_hessian(rosenbrock, POINT, coloring="acyclic").values)(POINT), TypeError, "substitution goes from entry to entry.*coloring='star'"),
        (lambda: plan_jacobian(np.sin, POINT, mode="diagonal"), ValueError, "plan_jacobian: expected mode to be one of auto, column"),
        (lambda: ft.sparse_hessian(np.sum, coloring="column"), ValueError, "sparse_hessian: expected coloring to be one of star, acyclic; got 'column'"),
        (lambda: plan_jacobian(np.sin, POINT, order="best"), ValueError, "expected order to be one of natural"),
        (lambda: plan_jacobian(np.sin, POINT, format="dia"), ValueError, "expected format to be one of csr, csc, coo; got 'dia'"),
        (lambda: plan_jacobian(np.sin, POINT, pattern=np.eye(3)), ValueError, r"expected a pattern of shape \(30, 30\); got \(3, 3\)"),
        (lambda: plan_hessian(np.sum, POINT, pattern=np.tri(30)), ValueError, "expected a symmetric pattern"),
        (lambda: plan_jacobian(lambda x, s: x, POINT, "fast"), TypeError, "got str 'fast'; pass it by a closure"),
        (lambda: plan_jacobian(np.sin, POINT, argnums=1), ValueError, "argnums=1 names argument 1"),
        (lambda: plan_jacobian(lambda x: 1.0, {}), TypeError, "expected arrays to differentiate in; got none"),
        (lambda: plan_jacobian(np.sin, POINT * 1j), TypeError, "expected real input; got complex128; say holomorphic=True"),
        (lambda: plan_jacobian(lambda x: x * 1j, POINT, mode="row"), TypeError, "expected a real result, which reverse mode needs"),
        (lambda: ft.sparse_jacobian(3.0), TypeError, "sparse_jacobian: expected a function; got float"),
        (lambda: ft.sparse_hessian(lambda x, k: np.sum(k * x))(POINT, k=2.0), TypeError, r"sparse_hessian\(<lambda>\): expected positional arguments; got k by keyword.*partial\(f, k=...\)"),
        (lambda: plan_hessian(np.sum, POINT)(x=POINT), TypeError, r"plan_hessian\(sum\): expected positional arguments; got x"),
        (lambda: ft.sparse_hessian(np.sum, chunk_size=0), ValueError, "sparse_hessian: expected chunk_size to be at least 1; got 0"),
        (lambda: plan_jacobian(np.sin, POINT, chunk_size=-1), ValueError, "plan_jacobian: expected chunk_size to be at least 1"),
        (lambda: plan_hessian(None, POINT), TypeError, "plan_hessian: expected a function; got NoneType"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_branching_says_what_to_do() -> None:
    with pytest.raises(ft.errors.ConcreteValueError) as caught:
        ft.sparse_hessian(branching)(POINT)
    assert "ft.script" in caught.value.__notes__[0]
    made = ft.sparse_hessian(ft.script(branching))(np.abs(POINT))
    np.testing.assert_allclose(made.toarray(), 2 * np.eye(30))


def test_too_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("index_sets", "pattern"):
        monkeypatch.setattr(f"functorch_like.sparsity.{name}.MOST", 500)
    with pytest.raises(
        ValueError, match=r"sparse derivative; got more than 500 .*test_sparsity.py"
    ):
        plan_hessian(lambda x: np.sum(x) ** 2, POINT)
    with pytest.raises(ValueError, match=r"result of gather .*close over them instead"):
        plan_jacobian(lambda x, i: x[i], POINT, np.arange(30))


# --- devices, pictures, imports ------------------------------------------------------------------


def test_arrays_of_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """On what refuses NumPy's arrays as CuPy does: entries are evaluated where x lives."""
    x = to_device(POINT)
    plan = plan_hessian(rosenbrock, x, jit=False)
    made = plan.values(x)
    assert isinstance(made, DeviceArray)
    want = scipy.sparse.csr_array(scipy.optimize.rosen_hess(POINT))
    np.testing.assert_allclose(to_host(made), want[plan.pattern.nonzero()], rtol=1e-10, atol=1e-9)
    both = plan_jacobian(
        lambda x: np.append(x[0] * x, np.sum(x)), x, jit=False, mode="bidirectional"
    )
    assert both.values(x).shape == (both.nnz,)


def test_text() -> None:
    arrow = plan_jacobian(
        lambda x: np.concatenate([np.sum(x**2)[None], x[1:] * x[0]]),
        np.ones(5),
        mode="bidirectional",
    )
    assert arrow.text().splitlines() == ["22222", "01···", "0·1··", "0··1·", "0···1"]
    assert "too large" in plan_hessian(rosenbrock, np.ones(1000)).text()


def test_picture(tmp_path: Any) -> None:
    for n in (8, 3000):
        plan = plan_hessian(rosenbrock, np.ones(n), jit=False)
        figure = plan.show(tmp_path / f"{n}.png")
        assert (tmp_path / f"{n}.png").stat().st_size > 5000
        (axes,) = figure.axes
        shown = np.asarray(axes.images[0].get_array())
        assert shown.shape == ((8, 8) if n == 8 else (375, 375))  # blocks of 8
        assert set(np.unique(shown[~np.isnan(shown)])) <= {0.0, 1.0, 2.0}
    rows = plan_jacobian(np.sum, np.ones(9))
    assert "1 of 9 x" not in rows.show().axes[0].get_title()
    assert all(t == round(t) for t in rows.show().axes[0].get_yticks())
    plan_jacobian(np.sin, np.ones(0)).show()  # nothing to see, and no warning


def test_importing_the_package_loads_nothing_large() -> None:
    code = (
        "import sys, functorch_like as ft; ft.sparsity; "
        "print({'numba', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_plans_by_default_need_no_numba() -> None:
    # It takes longer to import than a plan takes to make.
    code = (
        "import sys, numpy as np, functorch_like as ft; x = np.linspace(0, 1, 20_000); "
        "ft.sparse_hessian(lambda x: np.sum(x[1:] ** 2 * x[:-1]))(x); "
        "ft.sparse_jacobian(lambda x: x[1:] * x[:-1])(x); print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_half_precision_is_widened() -> None:
    x = np.linspace(0, 1, 5, dtype=np.float16)
    plan = plan_hessian(rosenbrock, x)
    assert plan.values(x).dtype == np.float16
    made = plan(x)
    assert made.dtype == np.float32
    want = plan_hessian(rosenbrock, x.astype(float))(x.astype(float)).toarray()
    np.testing.assert_allclose(made.toarray(), want, rtol=2e-3, atol=0.5)


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_matrices_stay_as_they_are(format: str) -> None:
    """Each call has arrays of its own, and SciPy finds them in order."""
    plan = plan_hessian(rosenbrock, POINT, format=format)
    first = plan(POINT)
    kept = first.toarray()
    second = plan(2 * POINT)
    np.testing.assert_array_equal(first.toarray(), kept)
    second.data[:] = 0.0
    second.eliminate_zeros()
    assert second.nnz == 0 and plan(POINT).nnz == first.nnz
    assert first.format == format and first.has_canonical_format
    if format != "coo":
        first.check_format(full_check=True)
        assert first.has_sorted_indices
    np.testing.assert_array_equal((first + first.T).toarray(), 2 * kept)


def test_plans_in_several_threads() -> None:
    x = np.random.default_rng(0).normal(size=(8, 20_000))
    plan = plan_hessian(rosenbrock, x[0])
    want = [plan(row).data for row in x]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for made, data in zip(pool.map(plan, x), want, strict=True):
                np.testing.assert_array_equal(made.data, data)


def test_plans_are_compiled_where_jit_is_disabled() -> None:
    with ft.disable_jit():
        plan = plan_hessian(rosenbrock, np.ones(30_000))  # in Python its colouring takes a second
        assert plan.n_colors == 3
        np.testing.assert_array_equal(plan(np.ones(30_000)).diagonal()[1:-1], 1002.0)


def test_example(tmp_path: Any) -> None:
    """The soap film: its error falls like the square of the width, which only the right area has."""
    path = pathlib.Path(__file__).resolve().parent.parent / "examples" / "sparse_hessian.py"
    spec = importlib.util.spec_from_file_location("example_sparse_hessian", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.main(tmp_path / "film.png")
    assert (tmp_path / "film.png").stat().st_size > 20_000
    assert found["errors"][-1] < 1e-4 and min(found["orders"]) > 1.8
    norms = found["norms"]
    assert norms[-1] < 1e-10 and norms[-1] < norms[-2] ** 1.5  # quadratic: the Hessian is exact
