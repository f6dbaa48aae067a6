"""The main job in one screen: derivatives of plain NumPy functions, checked as they are made."""

import numpy as np

import functorch_like as ft


def energy(x: np.ndarray) -> float:
    """Elastic energy of a chain of points whose springs have length one."""
    r = np.linalg.norm(x[1:] - x[:-1], axis=-1)
    return np.sum((r - 1.0) ** 2)


def main() -> dict[str, float]:
    """Differentiate ``energy`` in every mode and compare with differences."""
    x = np.random.default_rng(0).normal(size=(5, 3))
    gradient = ft.grad(energy)(x)
    hessian = ft.hessian(energy)(x).reshape(15, 15)
    direction = x[::-1]
    _, slope = ft.jvp(energy, (x,), (direction,))
    product = ft.hvp(energy, (x,), (direction,))
    batch = ft.vmap(ft.grad(energy))(np.stack([x, 2 * x]))
    h = 1e-6
    difference = (energy(x + h * direction) - energy(x - h * direction)) / (2 * h)
    print("energy            ", energy(x))
    print("gradient, first   ", gradient[0])
    print("jvp, vjp          ", slope, np.sum(gradient * direction))
    print("central difference", difference)
    print("Hessian           ", hessian.shape, "symmetric:", np.allclose(hessian, hessian.T))
    print("Hessian @ v       ", np.abs(product.ravel() - hessian @ direction.ravel()).max(), "off")
    print("batch of gradients", batch.shape)
    ft.testing.check_grads(energy, (x,), order=2)
    print("check_grads to second order: passed")
    return {"slope": float(slope), "difference": float(difference)}


if __name__ == "__main__":
    main()
