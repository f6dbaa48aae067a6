"""IPOPT with exact sparse derivatives; skipped where ``cyipopt`` is not installed."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from functorch_like import optimize

pytest.importorskip("cyipopt", reason="cyipopt (the extra 'ipopt') is not installed")


def test_hock_schittkowski_71() -> None:
    constraints = [
        optimize.NonlinearConstraint(np.prod, 25.0, np.inf),
        optimize.NonlinearConstraint(lambda x: np.sum(x**2), 40.0, 40.0),
    ]
    found = optimize.minimize_ipopt(
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
        [1.0, 5.0, 5.0, 1.0],
        bounds=[(1, 5)] * 4,
        constraints=constraints,
        tol=1e-9,
    )
    assert found.success and found.nit <= 12
    np.testing.assert_allclose(found.x, [1.0, 4.74299963, 3.82114998, 1.37940829], atol=1e-6)
    np.testing.assert_allclose(found.multipliers, [-0.55229366, 0.16146857], atol=1e-6)


def test_sparse_optimal_control_against_its_linear_equations() -> None:
    """Quadratic, with linear equations written as functions: one KKT solve is the answer."""
    n = 300
    target = np.sin(np.linspace(0, np.pi, n))

    def cost(p):
        return 0.5 * np.sum((p["state"] - target) ** 2) + 0.5e-2 * np.sum(p["control"] ** 2)

    def dynamics(p):
        x, u = p["state"], p["control"]
        return x[1:] - x[:-1] - 0.1 * (u[:-1] - x[:-1])

    x0 = {"control": np.zeros(n), "state": np.zeros(n)}
    equal = optimize.NonlinearConstraint(dynamics, 0.0, 0.0)
    found = optimize.minimize(cost, x0, method="ipopt", constraints=equal, tol=1e-10)
    assert found.success and found.nit <= 3 and "notes" not in found
    rows = np.arange(n - 1)
    matrix = scipy.sparse.csr_array(
        (
            np.concatenate([np.full(n - 1, -0.1), np.full(n - 1, -0.9), np.ones(n - 1)]),
            (np.tile(rows, 3), np.concatenate([rows, n + rows, n + rows + 1])),
        ),
        shape=(n - 1, 2 * n),
    )
    weights = scipy.sparse.diags_array(np.repeat([1e-2, 1.0], n))
    kkt = scipy.sparse.block_array([[weights, matrix.T], [matrix, None]]).tocsc()
    right = np.concatenate([np.zeros(n), target, np.zeros(n - 1)])
    exact = scipy.sparse.linalg.spsolve(kkt, right)
    np.testing.assert_allclose(found.x["control"], exact[:n], atol=1e-7)
    np.testing.assert_allclose(found.x["state"], exact[n : 2 * n], atol=1e-7)


def test_how_it_ends() -> None:
    infeasible = optimize.NonlinearConstraint(lambda x: x[0] ** 2, -np.inf, -1.0)
    found = optimize.minimize_ipopt(lambda x: x @ x, np.ones(2), constraints=infeasible)
    assert not found.success and "Infeasible: constraint 0" in found.message
    found = optimize.minimize_ipopt(lambda x: np.sum(x), np.ones(2))
    assert found.status == 101

    def stop(x):
        raise StopIteration

    assert optimize.minimize_ipopt(lambda x: x @ x, np.ones(2), callback=stop).status == 99
    with pytest.raises(ValueError, match="no option 'nonsense'"):
        optimize.minimize_ipopt(lambda x: x @ x, np.ones(2), options={"nonsense": 1})
