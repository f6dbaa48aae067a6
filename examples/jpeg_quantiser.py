"""A JPEG quantisation table tuned by gradient descent through the rounding.

JPEG cuts a picture into 8x8 blocks, takes a cosine transform of each, divides the 64 coefficients
by the 64 numbers of a table and rounds. Rounding has derivative zero almost everywhere, so it is
given the derivative of the identity with ``ft.straight_through``; ``ft.grad`` of squared error plus
estimated bits then moves the table. The result is judged by a real encoder: bytes of the file that
Pillow writes and error of what it reads back.

The tuned table beats the standard one by a fifth of the bits at equal squared error, and is nearly
flat. That is what theory says: equal steps are best for squared error, and a table of 64 equal
numbers, drawn for comparison, does as well or a percent better. The standard table was made for
the eye.
"""

from __future__ import annotations

import io
import pathlib
import sys

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

import functorch_like as ft

# The luminance table of the JPEG standard (ITU-T T.81, Annex K).
STANDARD = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=float,
)

PRICES = (60.0, 150.0, 500.0, 1000.0)  # squared error that a bit is worth
SHOWN = 500.0


@ft.straight_through
def nearest(u: np.ndarray) -> np.ndarray:
    """Round to integers, halves up; the derivative is that of the identity."""
    return np.floor(u + 0.5)


def photograph() -> np.ndarray:
    """Part of the Summer Palace in gray, 256 by 256 pixels of 0 to 255."""
    color = load_sample_image("china.jpg")[60:316, 120:376].astype(float)
    return np.round(color @ [0.299, 0.587, 0.114])


def coefficients(image: np.ndarray) -> np.ndarray:
    """Orthonormal cosine transform of every 8x8 block, of shape (blocks, 8, 8)."""
    k, n = np.arange(8)[:, None], np.arange(8)
    dct = np.cos(np.pi * k * (2 * n + 1) / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    rows, columns = image.shape[0] // 8, image.shape[1] // 8
    blocks = (image - 128).reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    return dct @ blocks @ dct.T


def objective(log_table: np.ndarray, c: np.ndarray, price: float) -> np.floating:
    """Squared error a pixel, plus ``price`` times the estimated bits a pixel."""
    q = np.exp(log_table)
    error = np.mean((q * nearest(c / q) - c) ** 2)
    return error + price * np.mean(np.log2(1 + np.abs(c / q)))


def scaled_standard(quality: int) -> np.ndarray:
    """Scale the standard table to a quality from 1 to 100, by the usual rule."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((STANDARD * scale + 50) / 100), 1, 255)


def tune(table: np.ndarray, c: np.ndarray, price: float, steps: int = 100) -> np.ndarray:
    """Descend (Adam, on the logarithms of the table) and round to the integers of a JPEG file."""
    gradient = ft.grad(objective)
    x = np.log(table)
    mean, square = np.zeros_like(x), np.zeros_like(x)
    for step in range(1, steps + 1):
        g = gradient(x, c, price)
        mean, square = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g**2
        rate = 0.05 * (1 - step / (steps + 1))
        x = x - rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-12)
        x = np.clip(x, 0.0, np.log(255))
    return np.round(np.exp(x))


def encode(image: np.ndarray, table: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Write a JPEG file with this table: bits a pixel, PSNR in dB, and the picture read back."""
    file = io.BytesIO()
    flat = [int(value) for value in table.ravel()]
    Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", qtables=[flat], optimize=True)
    bits = 8 * file.tell() / image.size
    back = np.asarray(Image.open(file), dtype=float)
    return bits, float(10 * np.log10(255**2 / np.mean((back - image) ** 2))), back


def bits_at(psnr: float, curve: np.ndarray) -> float:
    """Bits a pixel at this PSNR, on a curve of (bits, PSNR) rows with PSNR increasing."""
    return float(np.interp(psnr, curve[:, 1], curve[:, 0]))


def main(output: pathlib.Path | None = None) -> dict:
    """Tune tables at several prices, measure the files, and plot pictures and tables."""
    image = photograph()
    c = coefficients(image)
    tables = {price: tune(STANDARD, c, price) for price in PRICES}

    def curve(members: list[np.ndarray]) -> np.ndarray:
        return np.array([encode(image, table)[:2] for table in members])

    curves = {
        "scaled standard": curve([scaled_standard(q) for q in range(20, 93, 6)]),
        "flat": curve([np.full((8, 8), float(v)) for v in (68, 56, 46, 38, 31, 25, 20, 16, 13)]),
        "tuned": curve([tables[price] for price in reversed(PRICES)]),
    }
    pictures = {"standard": encode(image, STANDARD), "tuned": encode(image, tables[SHOWN])}
    for name, (bits, psnr, _) in pictures.items():
        print(f"{name:8s} table: {bits:.3f} bits a pixel, PSNR {psnr:.2f} dB")
    bits, psnr, _ = pictures["tuned"]
    savings = {name: 1 - bits / bits_at(psnr, curves[name]) for name in ("scaled standard", "flat")}
    for name, saving in savings.items():
        print(f"tuned against {name} table of the same PSNR: {saving:+.1%} of the bits saved")
    before, after = (
        float(objective(np.log(table), c, SHOWN)) for table in (STANDARD, tables[SHOWN])
    )
    print(f"objective: {before:.1f} with the standard table, {after:.1f} with the tuned one")
    if output is not None:
        plot(image, pictures, tables[SHOWN], curves, output)
    return {
        "image": image,
        "coefficients": c,
        "table": tables[SHOWN],
        "standard": pictures["standard"],
        "tuned": pictures["tuned"],
        "curves": curves,
        "savings": savings,
        "objective": (before, after),
    }


def plot(
    image: np.ndarray, pictures: dict, table: np.ndarray, curves: dict, output: pathlib.Path
) -> None:
    """Draw part of the picture three ways, both tables, and bits against error."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(12.5, 8.2), layout="constrained")
    part = np.s_[96:176, 72:152]
    shown = [("original: 8 bits a pixel", image)]
    for name, (bits, psnr, picture) in pictures.items():
        shown.append((f"{name} table: {bits:.2f} bits a pixel, {psnr:.2f} dB", picture))
    for ax, (title, picture) in zip(axes[0], shown, strict=True):
        ax.imshow(picture[part], cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        ax.set_title(title)
        ax.set_xticks([])
        ax.set_yticks([])

    for ax, (title, q) in zip(
        axes[1], [("standard table", STANDARD), ("tuned table", table)], strict=False
    ):
        drawn = ax.imshow(q, cmap="viridis", vmin=0, vmax=125)
        for (row, column), value in np.ndenumerate(q):
            color = "white" if value < 75 else "black"
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", color=color, fontsize=9)
        ax.set_title(title)
        ax.set_xlabel("horizontal frequency")
        ax.set_ylabel("vertical frequency")
    figure.colorbar(drawn, ax=axes[1, 1], label="quantisation step (gray levels)", shrink=0.85)

    for (name, points), style in zip(curves.items(), ("o-", "s--", "D"), strict=True):
        axes[1, 2].plot(*points.T, style, label=f"{name} table", markersize=6)
    axes[1, 2].set_xlabel("bits a pixel of the JPEG file")
    axes[1, 2].set_ylabel("PSNR (dB)")
    axes[1, 2].set_title("Size of the file and quality of the picture")
    axes[1, 2].legend()
    axes[1, 2].grid(alpha=0.3)
    figure.savefig(output, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
