"""Threefry-2x32 with 20 rounds: a counter-based generator of random bits.

A block cipher without secrecy: (key, counter) -> 64 bits, a bijection of the counters for each
key. Any number of a stream can be had without those before it, so streams are split, batched and
resumed for nothing, and the values depend on nothing but key and position.

J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
The counter of an element is its position in the result in C order, as a 64-bit number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = [
    "block",
    "fold",
    "random_bits",
    "random_uniform",
    "split",
    "uniform_at",
]

PARITY = 0x1BD11BDA
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
MASK = 0xFFFFFFFF
CHUNK = 1 << 13  # elements whose two words and the scratch stay in the first-level cache
FEW = 8  # below so many blocks Python's integers are quicker than NumPy's calls


def block(k0: Any, k1: Any, x0: Any, x1: Any) -> tuple[np.ndarray, np.ndarray]:
    """The two words of threefry-2x32 for keys (k0, k1) and counters (x0, x1).

    Parameters
    ----------
    k0, k1, x0, x1
        Arrays of uint32 whose shapes broadcast.

    Returns
    -------
    The two words, uint32 arrays of the common shape.
    """
    k0, k1, x0, x1 = (np.asarray(x, np.uint32) for x in (k0, k1, x0, x1))
    shape = np.broadcast_shapes(k0.shape, k1.shape, x0.shape, x1.shape)
    if math.prod(shape) <= FEW:
        lists = [w.ravel().tolist() for w in np.broadcast_arrays(k0, k1, x0, x1)]
        both = [_block_of_integers(*w) for w in zip(*lists, strict=True)]
        out = np.array(both, np.uint32).reshape(*shape, 2)
        return out[..., 0], out[..., 1]
    k2 = k0 ^ k1 ^ np.uint32(PARITY)
    keys = (k0, k1, k2)
    # In place from here on: the arrays are new.
    x0, x1 = (
        np.add(x0, k0, out=np.empty(shape, np.uint32)),
        np.add(x1, k1, out=np.empty(shape, np.uint32)),
    )
    scratch = np.empty(shape, np.uint32)
    for group in range(5):
        for r in ROTATIONS[group % 2]:
            x0 += x1
            np.left_shift(x1, r, out=scratch)
            x1 >>= 32 - r
            x1 |= scratch
            x1 ^= x0
        x0 += keys[(group + 1) % 3]
        x1 += keys[(group + 2) % 3]
        x1 += np.uint32(group + 1)
    return x0, x1


def _block_of_integers(k0: int, k1: int, x0: int, x1: int) -> tuple[int, int]:
    """One block in Python's integers."""
    keys = (k0, k1, k0 ^ k1 ^ PARITY)
    x0, x1 = (x0 + k0) & MASK, (x1 + k1) & MASK
    for group in range(5):
        for r in ROTATIONS[group % 2]:
            x0 = (x0 + x1) & MASK
            x1 = (((x1 << r) & MASK) | (x1 >> (32 - r))) ^ x0
        x0 = (x0 + keys[(group + 1) % 3]) & MASK
        x1 = (x1 + keys[(group + 2) % 3] + group + 1) & MASK
    return x0, x1


def _counters(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """High and low words of the positions ``start .. stop - 1``."""
    if stop <= 1 << 32:
        return np.zeros((), np.uint32), np.arange(start, stop, dtype=np.uint32)
    position = np.arange(start, stop, dtype=np.uint64)
    return (position >> np.uint64(32)).astype(np.uint32), position.astype(np.uint32)


def _fill(key: np.ndarray, count: int, out: np.ndarray, finish: Any) -> None:
    """``out[i, j] = finish(block(key[i], j))`` in pieces that stay in cache.

    key is (keys, 2); out is (keys, count, ...).
    """
    keys = key.shape[0]
    rows = max(1, CHUNK // max(count, 1))
    for i in range(0, keys, rows):
        k = key[i : i + rows]
        for j in range(0, count, CHUNK):
            stop = min(j + CHUNK, count)
            high, low = _counters(j, stop)
            finish(*block(k[:, :1], k[:, 1:], high, low), out[i : i + rows, j:stop])


def _blocks(key: Any, shape: tuple[int, ...], tail: tuple[int, ...], dtype: Any, f: Any) -> Any:
    key = np.asarray(key)
    lead, count = key.shape[:-1], math.prod(shape)
    out = np.empty((math.prod(lead), count, *tail), dtype)
    if lead == () and count <= FEW:
        k0, k1 = key.tolist()
        words = np.array([_block_of_integers(k0, k1, 0, j) for j in range(count)], np.uint32)
        words = words.reshape(count, 2)
        f(words[:, 0], words[:, 1], out[0])
        return out.reshape(tuple(shape) + tail)
    _fill(key.reshape(-1, 2), count, out, f)
    return out.reshape(lead + tuple(shape) + tail)


def random_bits(key: Any, shape: tuple[int, ...], width: int) -> np.ndarray:
    """Random bits: unsigned integers of ``width`` bits.

    Parameters
    ----------
    key
        uint32, (..., 2): leading axes are a batch of keys.
    shape
        Shape of what each key gives.
    width
        8, 16, 32 or 64. Up to 32 bits the two words of a block are joined by exclusive or.

    Returns
    -------
    Array of shape ``key.shape[:-1] + shape``.
    """

    def finish(x0: np.ndarray, x1: np.ndarray, out: np.ndarray) -> None:
        out[...] = _joined(x0, x1, width)

    return _blocks(key, shape, (), np.dtype(f"u{width // 8}"), finish)


def _joined(x0: np.ndarray, x1: np.ndarray, width: int) -> np.ndarray:
    if width == 64:
        return (x0.astype(np.uint64) << np.uint64(32)) | x1
    return x0 ^ x1  # the assignment drops what a narrower integer cannot hold


def _unit(x0: np.ndarray, x1: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Multiples of 2^-m in [0, 1), m the bits of the mantissa: equally spaced, equally likely."""
    mantissa = np.finfo(dtype).nmant
    width = 8 * dtype.itemsize
    bits = _joined(x0, x1, width)
    if width == 16:
        bits = bits.astype(np.uint16)
    bits = bits >> bits.dtype.type(width - mantissa)
    return bits.astype(dtype) * dtype.type(2.0**-mantissa)


def random_uniform(key: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Numbers in [0, 1), ``key.shape[:-1] + shape``: k 2^-m with k of m random bits."""
    dtype = np.dtype(dtype)

    def finish(x0: np.ndarray, x1: np.ndarray, out: np.ndarray) -> None:
        out[...] = _unit(x0, x1, dtype)

    return _blocks(key, shape, (), dtype, finish)


def split(key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Keys of shape ``key.shape[:-1] + shape + (2,)``: the blocks themselves."""

    def finish(x0: np.ndarray, x1: np.ndarray, out: np.ndarray) -> None:
        out[..., 0] = x0
        out[..., 1] = x1

    return _blocks(key, shape, (2,), np.uint32, finish)


def fold(key: Any, words: Any) -> np.ndarray:
    """The block of a key (..., 2) and a counter (..., 2), as a key (..., 2)."""
    key, words = np.asarray(key), np.asarray(words)
    return np.stack(block(key[..., 0], key[..., 1], words[..., 0], words[..., 1]), axis=-1)


def uniform_at(key: np.ndarray, position: Any, dtype: Any) -> np.ndarray:
    """What ``random_uniform`` of each key (n, 2) has at each ``position`` (n,), below 2^32."""
    zero = np.zeros((), np.uint32)
    return _unit(*block(key[:, 0], key[:, 1], zero, position), np.dtype(dtype))
