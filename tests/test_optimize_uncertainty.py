"""Uncertainties against closed forms, SciPy and quadrature."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats

from functorch_like import optimize

matplotlib.use("Agg")

RNG = np.random.default_rng(4)
X = np.column_stack([np.ones(60), RNG.normal(size=(60, 2))])
LABELS = (RNG.uniform(size=60) < 1 / (1 + np.exp(-X @ [0.3, 1.0, -1.0]))).astype(float)
SAMPLE = RNG.normal(1.5, 2.0, size=50)


def logistic(p):
    w = np.concatenate([np.reshape(p["intercept"], (1,)), p["slopes"]])
    return np.sum(np.logaddexp(0.0, X @ w) - LABELS * (X @ w))


def normal(p):
    mean, log_scale = p[0], p[1]
    return 0.5 * np.sum(((SAMPLE - mean) / np.exp(log_scale)) ** 2) + SAMPLE.size * log_scale


def test_logistic_regression_by_its_information() -> None:
    found = optimize.minimize(logistic, {"intercept": 0.0, "slopes": np.zeros(2)}, tol=1e-9)
    w = np.concatenate([[found.x["intercept"]], found.x["slopes"]])
    p = 1 / (1 + np.exp(-X @ w))
    covariance = np.linalg.inv(X.T @ ((p * (1 - p))[:, None] * X))
    made = found.covariance()
    np.testing.assert_allclose(made["intercept"]["intercept"], covariance[0, 0], rtol=1e-9)
    np.testing.assert_allclose(made["slopes"]["slopes"], covariance[1:, 1:], rtol=1e-9)
    np.testing.assert_allclose(made["slopes"]["intercept"], covariance[1:, 0], rtol=1e-9)
    errors = found.standard_errors()
    np.testing.assert_allclose(errors["slopes"], np.sqrt(np.diag(covariance)[1:]), rtol=1e-9)
    low, high = found.confidence_intervals(0.9)
    half = scipy.stats.norm.ppf(0.95) * errors["slopes"]
    np.testing.assert_allclose(high["slopes"] - low["slopes"], 2 * half)


def test_least_squares_covariance_is_scipys() -> None:
    t = np.linspace(0, 5, 30)
    y = 3.0 * np.exp(-0.7 * t) + 0.1 * np.sin(50 * t)

    def model(t, a, b):
        return a * np.exp(-b * t)

    _, pcov = scipy.optimize.curve_fit(model, t, y, ftol=1e-12, xtol=1e-12)
    fit = optimize.least_squares(lambda p: model(t, p["a"], p["b"]) - y, {"a": 1.0, "b": 1.0})
    made = fit.covariance()
    np.testing.assert_allclose(made["a"]["b"], pcov[0, 1], rtol=1e-4)
    np.testing.assert_allclose(made["b"]["b"], pcov[1, 1], rtol=1e-4)
    s2 = 2 * fit.cost / 28
    np.testing.assert_allclose(fit.covariance(absolute_sigma=True)["a"]["a"] * s2, made["a"]["a"])
    # The whole Hessian of half the sum of squares, by differences of its gradient.
    flat = np.array([fit.x["a"], fit.x["b"]])

    def slope(p):
        e = np.exp(-p[1] * t)
        r = p[0] * e - y
        return np.array([r @ e, -p[0] * (r @ (t * e))])

    h = 1e-6
    hessian = np.stack(
        [(slope(flat + h * d) - slope(flat - h * d)) / (2 * h) for d in np.eye(2)], axis=1
    )
    whole = fit.covariance(hessian=True, absolute_sigma=True)
    np.testing.assert_allclose(whole["a"]["a"], np.linalg.inv(hessian)[0, 0], rtol=1e-6)
    low, high = fit.confidence_intervals()
    q = scipy.stats.t.ppf(0.975, 28)
    np.testing.assert_allclose(high["a"] - low["a"], 2 * q * fit.standard_errors()["a"])


def test_profile_of_a_mean_is_students_interval() -> None:
    """Of a normal mean it has a closed form: n log(1 + n (m - mean)^2 / sum of squares)."""
    found = optimize.minimize(normal, np.array([0.0, 0.5]), tol=1e-10)
    profile = found.profile_likelihood(0)
    n, squares = SAMPLE.size, np.sum((SAMPLE - SAMPLE.mean()) ** 2)
    np.testing.assert_allclose(
        profile.deviance,
        n * np.log1p(n * (profile.values - SAMPLE.mean()) ** 2 / squares),
        atol=1e-6,
    )
    q = scipy.stats.chi2.ppf(0.95, 1)
    half = np.sqrt(np.expm1(q / n) * squares / n)
    np.testing.assert_allclose(profile.interval, SAMPLE.mean() + np.array([-half, half]), rtol=1e-7)
    assert profile.threshold == pytest.approx(q)
    assert np.all(np.diff(profile.signed_root) > 0)
    assert "95% interval" in repr(profile) and profile.plot().lines
    matplotlib.pyplot.close("all")


def test_profile_of_least_squares_is_where_f_says() -> None:
    """Linear least squares: the profile interval is Student's interval exactly."""
    design, y = X, X @ [1.0, 2.0, 3.0] + RNG.normal(size=60)
    fit = optimize.least_squares(lambda p: design @ p - y, np.zeros(3))
    low, high = fit.confidence_intervals()
    profile = fit.profile_likelihood(1, points=5)
    np.testing.assert_allclose(profile.interval, (low[1], high[1]), rtol=1e-6)
    np.testing.assert_allclose(
        profile.deviance, ((profile.values - fit.x[1]) / fit.standard_errors()[1]) ** 2, atol=1e-6
    )


def test_one_sided_profile_is_infinite_on_the_other_side() -> None:
    """A dose that may be infinite: the likelihood levels off."""

    def loss(p):
        return 20 * (1 - np.exp(-p["k"])) - 19.9 * np.log(1 - np.exp(-p["k"]) + 0.0)

    found = optimize.minimize(loss, {"k": 2.0}, tol=1e-9)
    low, high = found.profile_likelihood("k").interval
    assert 0 < low < found.x["k"] and np.isinf(high)


def test_laplace_evidence_against_quadrature() -> None:
    def posterior(p):
        return 50 * (p[0] ** 2 + p[1] ** 2 + 0.5 * p[0] * p[1]) + 2 * np.cosh(p[0])

    found = optimize.minimize(posterior, np.array([0.1, 0.1]), tol=1e-10)
    made = found.laplace_approximation()
    exact = scipy.integrate.dblquad(
        lambda b, a: np.exp(-posterior(np.array([a, b]))), -1, 1, -1, 1, epsabs=1e-12
    )[0]
    assert made.log_evidence == pytest.approx(np.log(exact), abs=1e-4)
    draws = made.sample(20000, seed=0)
    np.testing.assert_allclose(np.cov(draws.T), made.covariance(), rtol=0.1, atol=2e-4)
    with pytest.raises(TypeError, match="minus a log-posterior"):
        optimize.least_squares(lambda x: x - 1, np.zeros(2)).laplace_approximation()


def test_delta_method() -> None:
    found = optimize.minimize(logistic, {"intercept": 0.0, "slopes": np.zeros(2)}, tol=1e-9)

    def odds(p):
        return {"ratio": np.exp(p["slopes"]), "even": -p["intercept"] / p["slopes"][0]}

    made = optimize.delta_method(odds, found)
    errors = found.standard_errors()
    np.testing.assert_allclose(
        made.standard_errors()["ratio"], np.exp(found.x["slopes"]) * errors["slopes"]
    )
    gradient = np.array([-1, found.x["intercept"] / found.x["slopes"][0]]) / found.x["slopes"][0]
    covariance = found._problem.covariance()[:2, :2]
    assert made.standard_errors()["even"] == pytest.approx(
        np.sqrt(gradient @ covariance @ gradient)
    )
    low, high = made.confidence_intervals()
    assert low["even"] < made.value["even"] < high["even"]
    fit = optimize.curve_fit(lambda t, a, b: a * t + b, np.arange(6.0), np.arange(6.0) ** 1.1)
    assert fit.delta_method(lambda p: p[0]).standard_errors() == pytest.approx(
        fit.standard_errors()[0]
    )


def test_equality_constraints_leave_the_tangent_space() -> None:
    """Multinomial probabilities that sum to one: covariance (diag p - p p') / n."""
    counts = np.array([10.0, 20.0, 70.0])
    found = optimize.minimize(
        lambda p: -np.sum(counts * np.log(p)),
        np.full(3, 1 / 3),
        bounds=[(1e-3, 1)] * 3,
        constraints=optimize.NonlinearConstraint(np.sum, 1.0, 1.0),
        tol=1e-12,
    )
    p = counts / 100
    np.testing.assert_allclose(found.x, p, atol=1e-6)
    np.testing.assert_allclose(
        found.covariance(), (np.diag(p) - np.outer(p, p)) / 100, rtol=1e-4, atol=1e-9
    )


def test_singular_hessians_name_the_direction() -> None:
    def f(p):
        return (p["a"] + p["b"][0] - 1.0) ** 2 + p["b"][1] ** 2

    found = optimize.minimize(f, {"a": 0.0, "b": np.zeros(2)})
    with pytest.raises(
        optimize.SingularHessianError, match=r"combination 0.71 x\['a'\] - 0.71 x\['b'\]\[0\]"
    ) as error:
        found.covariance()
    assert abs(error.value.direction @ [1, 1, 0]) < 1e-8
    saddle = optimize.minimize(lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4, [1.0, 0.0])
    with pytest.raises(optimize.SingularHessianError, match=r"no minimum.*falls along 1 x\[1\]"):
        saddle.standard_errors()
    fit = optimize.least_squares(lambda x: (x[0] + x[1]) * np.arange(5.0) - 1, [1.0, 1.0])
    with pytest.raises(optimize.SingularHessianError, match="dependent columns"):
        fit.covariance()


def test_what_has_no_uncertainty_says_so() -> None:
    found = optimize.minimize(
        lambda x: (x[0] + 1) ** 2 + x[1] ** 2, [1.0, 1.0], bounds=[(0, 2), (None, None)]
    )
    with pytest.raises(ValueError, match=r"x\[0\] is at a bound"):
        found.covariance()
    fit = optimize.least_squares(lambda x: x - 1.0, np.zeros(3))
    with pytest.raises(ValueError, match="3 residuals cannot tell the variance"):
        fit.covariance()
    np.testing.assert_allclose(fit.covariance(absolute_sigma=True), np.eye(3))
    with pytest.raises(KeyError, match=r"name of an unknown; got 'z'; the unknowns are x\[0\]"):
        fit.profile_likelihood("z", level=0.5)
    with pytest.raises(ValueError, match="level between 0 and 1; got 95"):
        found2 = optimize.minimize(lambda x: np.sum((x - 1) ** 2), np.zeros(2))
        found2.confidence_intervals(95)
