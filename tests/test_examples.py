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
