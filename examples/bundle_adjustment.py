"""Bundle adjustment: cameras and points from where the points are seen, by sparse least squares.

The user writes the projection of a point into a camera. ``least_squares`` finds from it which
residual depends on which unknowns, colours that pattern (15 colours for 6 numbers a camera and 3 a
point, however many there are), compiles the products, and hands SciPy an exact sparse Jacobian.
SciPy alone needs the pattern by hand (``jac_sparsity``) and takes differences: the comparison is in
``main``. Cameras look at the facades and the dome of a small town from a path around it; image
positions have noise of half a pixel.
"""

from __future__ import annotations

import pathlib
import sys
import time

import numpy as np
import scipy.optimize
import scipy.sparse

import functorch_like as ft

FOCAL = 800.0  # pixels
NOISE = 0.5  # pixels


def rotate(rotation: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Turn points (m, 3) about the axis and by the angle that rotation vectors (m, 3) state."""
    squared = np.sum(rotation**2, axis=1, keepdims=True)
    angle = np.sqrt(squared + 1e-24)
    cosine, sine = np.cos(angle), np.sin(angle) / angle
    rest = (1 - cosine) / (squared + 1e-24) * np.sum(rotation * points, axis=1, keepdims=True)
    return cosine * points + sine * np.cross(rotation, points) + rest * rotation


def project(poses: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Pixels (m, 2) of points (m, 3) in cameras with poses (m, 6): rotation, translation."""
    seen = rotate(poses[:, :3], points) + poses[:, 3:]
    return FOCAL * seen[:, :2] / seen[:, 2:]


def scene(cameras: int, points: int, seed: int = 0) -> dict:
    """A town, cameras on a path around it, and what they see of it."""
    rng = np.random.default_rng(seed)
    walls, dome = points * 3 // 4, points - points * 3 // 4
    side = rng.integers(0, 4, walls)
    along, height = rng.uniform(-4, 4, walls), rng.uniform(0, 3, walls)
    across = np.where(side % 2 == 0, 4.0, -4.0)
    facade = np.where(side < 2, [along, across], [across, along])
    turn, rise = rng.uniform(0, 2 * np.pi, dome), rng.uniform(0, np.pi / 2, dome)
    cupola = 2 * np.stack([np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)])
    town = np.concatenate([np.stack([*facade, height]).T, cupola.T + np.array([0.0, 0.0, 2.0])])

    angle = np.linspace(0, 2 * np.pi, cameras, endpoint=False)
    centers = np.stack([16 * np.cos(angle), 16 * np.sin(angle), 4 + np.sin(3 * angle)], axis=1)
    poses = np.stack([_looking_at_origin(c) for c in centers])

    pairs = [(c, p) for p in range(points) for c in _nearest(centers, town[p], rng)]
    which_camera, which_point = np.array(pairs).T
    pixels = project(poses[which_camera], town[which_point])
    return {
        "which_camera": which_camera,
        "which_point": which_point,
        "pixels": pixels + NOISE * rng.normal(size=pixels.shape),
        "truth": {"points": town, "poses": poses},
        "start": {
            "points": town + 0.15 * rng.normal(size=town.shape),
            "poses": poses + np.repeat([0.01, 0.1], 3) * rng.normal(size=poses.shape),
        },
    }


def _nearest(centers: np.ndarray, point: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The cameras that see a point: some of those on its side of the town."""
    near = np.argsort(np.sum((centers - 1.5 * point) ** 2, axis=1))
    return np.sort(near[: int(rng.integers(4, 8))])


def _looking_at_origin(center: np.ndarray) -> np.ndarray:
    """Pose of a camera at ``center`` that looks at the town."""
    import scipy.spatial.transform

    forward = np.array([0.0, 0.0, 1.5]) - center
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    matrix = np.stack([right, np.cross(forward, right), forward])
    rotation = scipy.spatial.transform.Rotation.from_matrix(matrix).as_rotvec()
    return np.concatenate([rotation, -matrix @ center])


def residuals(x: dict, which_camera: np.ndarray, which_point: np.ndarray, pixels: np.ndarray):
    """Differences of projected and observed pixels, (m, 2)."""
    return project(x["poses"][which_camera], x["points"][which_point]) - pixels


def by_differences(town: dict) -> tuple[scipy.optimize.OptimizeResult, int]:
    """The same by SciPy alone: the pattern by hand, the Jacobian by differences."""
    which_camera, which_point = town["which_camera"], town["which_point"]
    points, poses = town["start"]["points"], town["start"]["poses"]
    split = points.size
    count = 0

    def flat(x: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        unknowns = {"points": x[:split].reshape(-1, 3), "poses": x[split:].reshape(-1, 6)}
        return residuals(unknowns, which_camera, which_point, town["pixels"]).ravel()

    m = len(which_camera)
    columns = np.concatenate(
        [3 * which_point[:, None] + np.arange(3), split + 6 * which_camera[:, None] + np.arange(6)],
        axis=1,
    )
    columns = np.repeat(columns, 2, axis=0).ravel()
    rows = np.repeat(np.arange(2 * m), 9)
    pattern = scipy.sparse.csr_array(
        (np.ones(rows.size), (rows, columns)), shape=(2 * m, split + poses.size)
    )
    start = np.concatenate([points.ravel(), poses.ravel()])
    found = scipy.optimize.least_squares(flat, start, jac_sparsity=pattern, **SETTINGS)
    return found, count


SETTINGS = {"x_scale": "jac", "ftol": 1e-8, "max_nfev": 60}


def main(output: pathlib.Path | None = None, cameras: int = 24, points: int = 600) -> dict:
    """Adjust a town, compare with SciPy's differences, and draw it."""
    town = scene(cameras, points)
    observed = town["which_camera"], town["which_point"], town["pixels"]
    unknowns = sum(x.size for x in town["start"].values())
    print(f"{unknowns} unknowns, {2 * len(town['pixels'])} residuals")

    began = time.perf_counter()
    found = ft.optimize.least_squares(residuals, town["start"], args=observed, **SETTINGS)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    reference, calls = by_differences(town)
    reference_seconds = time.perf_counter() - began

    deviation = np.sqrt(2 * found.cost / (found.fun.size - unknowns + 7))
    print(
        f"exact sparse Jacobian: {found.nfev} calls and {found.njev} Jacobians in {seconds:.1f} s"
    )
    print(f"differences, pattern by hand: {calls} calls in {reference_seconds:.1f} s")
    print(f"cost {found.cost:.6f} and {reference.cost:.6f}")
    print(f"noise: {deviation:.3f} pixels found, {NOISE} put in")
    if output is not None:
        plot(town, found, reference, output)
    return {
        "found": found,
        "reference": reference,
        "calls": calls,
        "seconds": (seconds, reference_seconds),
        "deviation": deviation,
        "town": town,
    }


def plot(town: dict, found: ft.optimize.OptimizeResult, reference, output: pathlib.Path) -> None:
    """Draw the town from above before and after, the Jacobian, and the convergence."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(15.5, 4.2), layout="constrained")
    for ax, x, title in (
        (axes[0], town["start"], "start"),
        (axes[1], found.x, "adjusted"),
    ):
        ax.scatter(*x["points"][:, :2].T, s=2, c=x["points"][:, 2], cmap="viridis")
        turned = np.stack([-rotate(-p[None, :3], p[None, 3:])[0] for p in x["poses"]])
        ax.plot(*turned[:, :2].T, "^", color="tab:red", ms=4, label="cameras")
        ax.set_title(f"the town from above: {title}")
        ax.set_aspect("equal")
        ax.legend(loc="upper right", fontsize=8)
    shown = found.jac[: min(found.jac.shape[0], 600)]
    rows, columns = scipy.sparse.coo_array(shown).coords
    axes[2].plot(columns, rows, ",", color="tab:blue")
    axes[2].invert_yaxis()
    axes[2].set_title(f"Jacobian, first {shown.shape[0]} of {found.jac.shape[0]} rows")
    axes[2].set_xlabel("unknown: points, then poses")
    axes[2].set_ylabel("residual")
    found.plot(axes[3])
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    large = {"cameras": 60, "points": 6000} if "--large" in arguments else {}
    paths = [pathlib.Path(a) for a in arguments if not a.startswith("-")]
    main(paths[0] if paths else None, **large)
