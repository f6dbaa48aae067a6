"""The scripts of ``examples/``, run as a user runs them, against references from elsewhere."""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Callable
from types import ModuleType

import matplotlib
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse
import scipy.special

matplotlib.use("Agg")

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "examples"
Run = Callable[[str], tuple[ModuleType, dict]]


@pytest.fixture
def run(tmp_path: pathlib.Path) -> Run:
    """Load an example by path, run its ``main`` and check that it drew something."""

    def load(name: str) -> tuple[ModuleType, dict]:
        spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        picture = tmp_path / "x.png"
        results = module.main(picture)
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert matplotlib.image.imread(picture)[..., :3].std() > 0.05
        return module, results

    return load


def test_every_example_is_tested() -> None:
    """No script is left out of this file."""
    here = pathlib.Path(__file__).read_text()
    for path in FOLDER.glob("*.py"):
        assert f'run("{path.stem}")' in here, f"{path.name} has no test"


def test_tour() -> None:
    """The tour draws nothing: run("tour") is a plain call."""
    spec = importlib.util.spec_from_file_location("example_tour", FOLDER / "tour.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.main()
    assert abs(found["slope"] - found["difference"]) < 1e-7 < abs(found["slope"])


def test_logistic_regression(run: Run) -> None:
    """Against scikit-learn and the closed-form information matrix."""
    from sklearn.linear_model import LogisticRegression

    module, found = run("logistic_regression")
    x, y = module.load()
    w = found["coefficients"]

    # The same model by scikit-learn, without penalty.
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10, fit_intercept=False)
    np.testing.assert_allclose(w, model.fit(x, y).coef_[0], rtol=1e-6)

    # The Hessian in closed form: X' W X with W = p (1 - p); and its inverse's diagonal.
    p = scipy.special.expit(x @ w)
    information = x.T @ ((p * (1 - p))[:, None] * x)
    np.testing.assert_allclose(found["hessian"], information, rtol=1e-10)
    np.testing.assert_allclose(
        found["standard_errors"], np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-10
    )
    # The score equations: at the maximum the fitted probabilities reproduce every moment.
    np.testing.assert_allclose(x.T @ p, x.T @ (y > 0), atol=1e-9)
    assert found["accuracy"] == np.mean(model.predict(x) == y) > 0.9


def test_jpeg_quantiser(run: Run) -> None:
    """Against SciPy's transform and the standard and flat tables."""
    module, found = run("jpeg_quantiser")
    image, c, table = found["image"], found["coefficients"], found["table"]

    # The transform by hand is SciPy's orthonormal one.
    import scipy.fft

    block = image[8:16, 24:32] - 128
    np.testing.assert_allclose(
        c[1 * 32 + 3], scipy.fft.dctn(block, norm="ortho"), rtol=1e-10, atol=1e-10
    )
    assert table.shape == (8, 8) and np.array_equal(table, np.round(table))
    assert table.min() >= 1 and table.max() <= 255

    # What the example says of the files, measured again from the coefficients: PSNR to within
    # the rounding of pixels and the integer transform of the decoder.
    for name, q in (("standard", module.STANDARD), ("tuned", table)):
        error = np.mean((q * np.floor(c / q + 0.5) - c) ** 2)
        assert found[name][1] == pytest.approx(10 * np.log10(255**2 / error), abs=0.1)
    bits, psnr, _ = found["tuned"]
    assert bits < 0.97 * found["standard"][0]  # smaller,
    assert psnr > found["standard"][1] + 1.0  # and better by more than a decibel
    assert found["savings"]["scaled standard"] > 0.15
    assert abs(found["savings"]["flat"]) < 0.04  # no better than theory's answer, nor much worse

    before, after = found["objective"]
    assert after < 0.85 * before
    # A flat table is what theory finds best: the tuned one lies far nearer to it.
    spread = [float(np.std(np.log(q))) for q in (module.STANDARD, table)]
    assert spread[1] < 0.25 * spread[0]


def test_recursion_and_loops(run: Run) -> None:
    """Against SciPy's elliptic integrals, their series, and bisection."""
    module, found = run("recursion_and_loops")
    m, ecc = found["elliptic"]["x"], module.ECCENTRICITY
    k, e = scipy.special.ellipk(m), scipy.special.ellipe(m)
    slope = (e - (1 - m) * k) / (2 * m * (1 - m))
    np.testing.assert_allclose([module.elliptic_k(x) for x in m], k, rtol=1e-14)
    np.testing.assert_allclose(found["elliptic"]["first"], slope, rtol=1e-13)
    # From the series of K in m, whose coefficients are squares of Legendre's.
    n = np.arange(2, 3000)
    ratio = np.cumprod((2 * n - 1) / (2 * n)) * 0.5  # (2n-1)!!/(2n)!!
    for x, second in zip(m[:25], found["elliptic"]["second"][:25], strict=True):
        series = np.pi / 2 * np.sum(ratio**2 * n * (n - 1) * x ** (n - 2.0))
        assert second == pytest.approx(series, rel=1e-13)

    # Kepler's equation solved by bisection; derivatives of the implicit function.
    mean = found["kepler"]["x"]
    anomaly = np.array(
        [
            scipy.optimize.brentq(lambda v, x=x: v - ecc * np.sin(v) - x, -4.0, 4.0, xtol=1e-15)
            for x in mean
        ]
    )
    radius = 1 - ecc * np.cos(anomaly)
    np.testing.assert_allclose(found["kepler"]["first"], 1 / radius, rtol=1e-12)
    np.testing.assert_allclose(
        found["kepler"]["second"], -ecc * np.sin(anomaly) / radius**3, rtol=1e-12, atol=1e-12
    )


def test_batched_hessians(run: Run) -> None:
    """Against published stationary points and a Hessian by hand."""
    _, found = run("batched_hessians")
    assert sorted(found["kinds"]) == ["maximum"] + ["minimum"] * 4 + ["saddle"] * 4

    # The published minima (Himmelblau 1972) and maximum; f is 0 at the minima.
    published = [(-3.779310, -3.283186), (-2.805118, 3.131312), (3.0, 2.0), (3.584428, -1.848126)]
    kinds = np.array(found["kinds"])
    np.testing.assert_allclose(found["points"][kinds == "minimum"], published, atol=2e-6)
    np.testing.assert_allclose(found["values"][kinds == "minimum"], 0.0, atol=1e-12)
    np.testing.assert_allclose(
        found["points"][kinds == "maximum"], [(-0.270845, -0.923039)], atol=2e-6
    )
    assert found["values"][kinds == "maximum"][0] == pytest.approx(181.617, abs=1e-3)

    # The Hessian differentiated by hand, over the whole grid.
    x, y = found["grid"].T
    a, b, d = 12 * x**2 + 4 * y - 42, 12 * y**2 + 4 * x - 26, 4 * (x + y)
    smaller = (a + b) / 2 - np.hypot((a - b) / 2, d)
    np.testing.assert_allclose(found["smallest"], smaller, rtol=1e-10, atol=1e-10)
    assert found["convex"] == pytest.approx(np.mean(smaller > 0), abs=1e-4)


def test_spring_network(run: Run) -> None:
    """Against textbook and published numbers, finite differences and group theory."""
    module, found = run("spring_network")

    # Three masses and three springs: 0, 0, 0, and the textbook's two frequencies.
    expected = [0.0, 0.0, 0.0, np.sqrt(1.5), np.sqrt(1.5), np.sqrt(3.0)]
    np.testing.assert_allclose(found["triangle_modes"], expected, atol=1e-4)
    np.testing.assert_allclose(found["triangle_modes"][3:], expected[3:], rtol=1e-7)
    np.testing.assert_allclose(module.distances(found["triangle_positions"].reshape(3, 2)), 1.0)

    # Thirteen atoms: Hoare and Pal 1971, Cambridge Cluster Database.
    x = found["positions"]
    assert found["energy"] == pytest.approx(-44.326801, abs=1e-6)
    assert found["force"] < 1e-6
    i, j = np.triu_indices(13, 1)
    squared = np.sum((x.reshape(13, 3)[i] - x.reshape(13, 3)[j]) ** 2, axis=-1)
    assert found["energy"] == pytest.approx(np.sum(4 / squared**6 - 4 / squared**3), abs=1e-10)

    # Away from the minimum the force is a finite difference of the energy, the Hessian of the
    # force; at the minimum six motions of the whole have no frequency.
    rng = np.random.default_rng(0)
    away, along = x + 0.02 * rng.normal(size=39), rng.normal(size=39)
    h = 1e-6
    difference = (module.cluster(away + h * along) - module.cluster(away - h * along)) / (2 * h)
    gradient = module.ft.grad(module.cluster)
    assert gradient(away) @ along == pytest.approx(difference, rel=1e-6)
    bent = (gradient(away + h * along) - gradient(away - h * along)) / (2 * h)
    np.testing.assert_allclose(module.ft.hessian(module.cluster)(away) @ along, bent, rtol=1e-5)
    np.testing.assert_allclose(module.ft.hvp(module.cluster, (away,), (along,)), bent, rtol=1e-5)
    assert found["zero_modes"] == 6
    assert found["modes"][6] > 1.0

    # A centred icosahedron vibrates as Ag + Gg + 2 Hg + Hu + 2 T1u + T2u + Gu: group theory.
    assert sorted(found["groups"]) == [1, 3, 3, 3, 4, 4, 5, 5, 5]


def test_gaussian_process(run: Run) -> None:
    """Against scikit-learn's regressor, and differences of its gradient for the errors."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    module, found = run("gaussian_process")
    x, y = module.load(150)
    kernel = ConstantKernel(1.0, (1e-5, 1e8)) * RBF([1.0] * 3, (1e-3, 1e6)) + WhiteKernel(0.4)
    model = GaussianProcessRegressor(kernel, alpha=0).fit(x, y)
    best = -model.log_marginal_likelihood_value_
    assert found["found"].fun <= best + 1e-8 and found["found"].fun == pytest.approx(best, rel=1e-8)

    p, errors = found["found"].x, found["errors"]
    theta = np.array([p["signal"], *p["lengths"], p["noise"]])
    assert -model.log_marginal_likelihood(theta) == pytest.approx(found["found"].fun, rel=1e-12)

    def slope(at: np.ndarray) -> np.ndarray:
        return np.asarray(model.log_marginal_likelihood(at, eval_gradient=True)[1])

    h = 1e-5
    bent = np.stack([(slope(theta - h * e) - slope(theta + h * e)) / (2 * h) for e in np.eye(5)])
    expected = np.sqrt(np.diag(np.linalg.inv((bent + bent.T) / 2)))
    made = np.array([errors["signal"], *errors["lengths"], errors["noise"]])
    np.testing.assert_allclose(made, expected, rtol=1e-5)
    # The length scale of the blood pressure may be infinite; that of the body mass may not.
    assert np.isinf(found["profiles"]["length of bp"].interval[1])
    assert np.isfinite(found["profiles"]["length of bmi"].interval).all()
    mean, deviation = module.predict(p, x, y, x[:5])
    predicted = model.predict(x[:5])
    np.testing.assert_allclose(mean, predicted, atol=1e-4)
    assert np.all(deviation > 0)


def test_bundle_adjustment(run: Run) -> None:
    """Against SciPy with the pattern by hand and differences, and the noise that was put in."""
    module, found = run("bundle_adjustment")
    exact, reference = found["found"], found["reference"]
    assert exact.success and exact.cost == pytest.approx(reference.cost, rel=1e-7)
    assert exact.nfev + exact.njev < 0.5 * found["calls"]
    assert found["deviation"] == pytest.approx(module.NOISE, rel=0.05)
    assert scipy.sparse.issparse(exact.jac) and exact.jac.nnz <= 9 * exact.fun.size
    # What can be measured, distances between neighbouring points up to scale, came back.
    truth, points = found["town"]["truth"]["points"], exact.x["points"]
    for_start = found["town"]["start"]["points"]

    def spread(at: np.ndarray) -> float:
        a, b = (
            np.linalg.norm(np.diff(at, axis=0), axis=1),
            np.linalg.norm(np.diff(truth, axis=0), axis=1),
        )
        return float(np.std(a / b * np.median(b / a)))

    assert spread(points) < 0.2 * spread(for_start)


def test_sparse_hessian(run: Run) -> None:
    """Against Scherk's surface, and the Hessian of a small film by differences of complex steps."""
    module, found = run("sparse_hessian")
    assert found["norms"][-1] < 1e-10 and found["colors"] <= 12
    assert found["errors"][-1] < 1e-4 and min(found["orders"]) > 1.9

    n = 6
    frame, inner = module.scherk(n), 0.1 * np.random.default_rng(0).normal(size=(n - 2, n - 2))

    def area(z: np.ndarray) -> complex:
        whole = frame.astype(complex)
        whole[1:-1, 1:-1] = z.reshape(n - 2, n - 2)
        h = 2 * module.HALF / (n - 1)
        corners = [whole[:-1, :-1], whole[:-1, 1:], whole[1:, :-1], whole[1:, 1:]]
        a, b, c, d = corners
        sides = ((b - a) ** 2 + (d - c) ** 2 + (c - a) ** 2 + (d - b) ** 2) / h**2
        return h**2 * np.sum(np.sqrt(1 + sides / 2))

    unit, h = np.eye(inner.size), 1e-5
    gradient = lambda z: np.array([area(z + 1e-30j * e).imag / 1e-30 for e in unit])
    z = inner.ravel()
    expected = [(gradient(z + h * e) - gradient(z - h * e)) / (2 * h) for e in unit]
    made = module.ft.sparse_hessian(module.area)(inner, frame)
    assert scipy.sparse.issparse(made)
    np.testing.assert_allclose(made.toarray(), expected, atol=1e-8)


def test_pde_control(run: Run) -> None:
    """Against the equations by hand, and the closed form of the linear problem."""
    module, found = run("pde_control")
    assert found["found"].success and found["found"].nit <= 8 and found["error"] < 1e-9

    # Without the cube, one wave of the grid stays that wave: m = eigenvalue of the Laplacian.
    n, beta = 20, 1e-4
    t = np.arange(1, n + 1) / (n + 1)
    wave = np.outer(np.sin(np.pi * t), np.sin(2 * np.pi * t))
    m = 4 * (n + 1) ** 2 * sum(np.sin(k * np.pi / (2 * (n + 1))) ** 2 for k in (1, 2))
    start = {name: np.zeros((n, n)) for name in ("state", "control", "adjoint")}
    linear = module.ft.optimize.root(
        module.optimality, start, args=(wave, beta, 0.0), method="newton"
    )
    np.testing.assert_allclose(linear.x["control"], wave * m / (1 + beta * m**2), atol=1e-9)
    assert linear.nit == 1


def test_scripted_classics(run: Run) -> None:
    """Values against Python running the same source, NumPy's solvers, and slopes by differences."""
    module, found = run("scripted_classics")
    assert len(found) == 9
    for name, (f, rest, _) in module.classics().items():
        one, plain = found[name], f.__wrapped__.__wrapped__
        # The integrator's steps change in jumps, within its tolerance; the slope of an iteration
        # that stops when its value has converged is a little behind.
        h = 1e-3 if name.startswith("adaptive") else 1e-6
        near = 2e-3 if name.startswith(("adaptive", "Levenberg")) else 1e-4
        for t, value, slope in zip(one["marks"], one["at"], one["slopes"], strict=True):
            assert value == pytest.approx(plain(t, *rest), rel=1e-8, abs=1e-10), name
            difference = (plain(t + h, *rest) - plain(t - h, *rest)) / (2 * h)
            assert slope == pytest.approx(difference, rel=near, abs=1e-4), name
    points = np.linspace(0, 4, 9)
    for t, value in zip(found["Cholesky"]["t"], found["Cholesky"]["values"], strict=True):
        k = np.exp(-(((points[:, None] - points) / t) ** 2)) + 0.01 * np.eye(9)
        assert value == pytest.approx(np.linalg.slogdet(k)[1], rel=1e-9)
    for a, value in zip(found["bisection"]["t"], found["bisection"]["values"], strict=True):
        x = a - scipy.special.lambertw(np.exp(a)).real  # solves x + exp(x) = a
        assert value == pytest.approx(-(x**2), rel=1e-9, abs=1e-12)


def test_many_fits(run: Run) -> None:
    """Against SciPy's fits of some pixels, and the spread that the noise must have."""
    module, found = run("many_fits")
    t, good = module.TIMES, found["good"].reshape(module.SIDE, module.SIDE)
    assert not good[:6, :6].any() and good[6:].all()

    def curve(t: np.ndarray, height: float, log_lifetime: float, floor: float) -> np.ndarray:
        return height * np.exp(-t * np.exp(-log_lifetime)) + floor

    for i in (500, 1700, 4000):
        counts, sigma = found["counts"][i], 1 / found["weights"][i]
        p, covariance = scipy.optimize.curve_fit(
            curve, t, counts, [counts.max(), 0.5, counts.min()], sigma, absolute_sigma=True,
            ftol=1e-14, xtol=1e-14, gtol=1e-14,
        )  # fmt: skip
        fitted = found["fitted lifetime, ns"].reshape(-1)[i]
        assert fitted == pytest.approx(np.exp(p[1]), rel=1e-6)
        # SciPy's covariance leaves out the second derivatives of the residuals.
        error = fitted * np.sqrt(covariance[1, 1])
        assert found["standard error, ns"].reshape(-1)[i] == pytest.approx(error, rel=0.15)
    # The weights come from the noisy counts themselves, which widens the spread a little.
    assert abs(found["pull"].mean()) < 0.1 and 0.95 < found["pull"].std() < 1.15


def test_implicit(run: Run) -> None:
    """Derivatives in closed form and by differences; the best penalty of a grid."""
    _, found = run("implicit")
    np.testing.assert_allclose(found["speed"], found["exact"], rtol=1e-12)
    np.testing.assert_allclose(found["answer"], found["difference"], rtol=1e-8)
    assert abs(found["grid"][np.argmin(found["errors"])] - found["best"]) < 0.2


def test_ode_fit(run: Run) -> None:
    """The same fit by SciPy alone, with differences."""
    from scipy.integrate import solve_ivp

    module, found = run("ode_fit")

    def residuals(log_p: np.ndarray) -> np.ndarray:
        p = np.exp(log_p)
        made = solve_ivp(
            module.rates, (0, 20), p[4:], "LSODA", module.YEARS, args=(p,), rtol=1e-10, atol=1e-10
        )
        return (np.log(made.y) - np.log([module.HARES, module.LYNXES])).reshape(-1)

    peer = scipy.optimize.least_squares(residuals, found["x"] + 0.05, xtol=1e-10, ftol=1e-10)
    np.testing.assert_allclose(np.exp(peer.x), found["p"], rtol=1e-4)
    np.testing.assert_allclose(peer.cost, found["cost"], rtol=1e-7)
    differences = [
        (residuals(found["x"] + h) - residuals(found["x"] - h)) / 2e-5 for h in 1e-5 * np.eye(6)
    ]
    np.testing.assert_allclose(found["jacobian"], np.stack(differences, 1), atol=1e-5)
