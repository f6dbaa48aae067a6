"""A JPEG quantisation table tuned by gradient descent through the rounding.

JPEG cuts a picture into 8x8 blocks, takes a cosine transform of each, divides the 64 coefficients
by the 64 numbers of a table and rounds. Rounding has derivative zero almost everywhere, so the
rounding is given the derivative of a soft staircase with ``ft.surrogate``; ``ft.grad`` of squared
error plus estimated bits then moves the table. The result is judged by a real encoder: bytes of
the file that Pillow writes, and error of what it reads back, against the standard table at several
qualities. Squared error is what is tuned and measured; the standard table was made for the eye.
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

nearest = ft.surrogate(
    lambda u: np.floor(u + 0.5),
    gradient_of=lambda u: u - np.sin(2 * np.pi * u) / (2 * np.pi),
)


def photograph() -> np.ndarray:
    """A temple roof in gray, 256 by 256 pixels of 0 to 255."""
    color = load_sample_image("china.jpg")[60:316, 120:376].astype(float)
    return np.round(color @ [0.299, 0.587, 0.114])


def coefficients(image: np.ndarray) -> np.ndarray:
    """Orthonormal cosine transform of every 8x8 block, of shape (blocks, 8, 8)."""
    k, n = np.arange(8)[:, None], np.arange(8)
    dct = np.cos(np.pi * k * (2 * n + 1) / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    rows, columns = image.shape[0] // 8, image.shape[1] // 8
    blocks = (image - 128).reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)
    return dct @ blocks @ dct.T


def objective(log_table: np.ndarray, c: np.ndarray, price: float) -> np.ndarray:
    """Squared error a pixel, plus ``price`` times the estimated bits a pixel."""
    q = np.exp(log_table)
    error = np.mean((q * nearest(c / q) - c) ** 2)
    return error + price * np.mean(np.log2(1 + np.abs(c / q)))


def scaled_standard(quality: int) -> np.ndarray:
    """The standard table at a quality from 1 to 100, by the usual rule."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((STANDARD * scale + 50) / 100), 1, 255)


def tune(table: np.ndarray, c: np.ndarray, price: float, steps: int = 150) -> np.ndarray:
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
