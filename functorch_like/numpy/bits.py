"""Bits packed into bytes and back: integers, so no derivative."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .dispatch import implements
from .manipulation import astype, concatenate, moveaxis, normalize_axis, ravel, reshape
from .operands import as_array

__all__: list[str] = []


def _weights(bitorder: str) -> np.ndarray:
    if bitorder not in ("big", "little"):
        raise ValueError("'bitorder' must be either 'little' or 'big'")
    powers = 2 ** np.arange(8)
    return powers[::-1].copy() if bitorder == "big" else powers


@implements(np.packbits)
def packbits(a: Any, /, axis: Any = None, bitorder: str = "big") -> Any:
    a = as_array(a)
    if a.dtype.kind not in "biu":
        raise TypeError("Expected an input array of integer or boolean data type")
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    bits = astype(np.not_equal(moveaxis(a, axis, -1), 0), np.int64)
    n = bits.shape[-1]
    whole = math.ceil(n / 8) * 8
    bits = np.pad(bits, [(0, 0)] * (a.ndim - 1) + [(0, whole - n)])
    groups = reshape(bits, (*bits.shape[:-1], whole // 8, 8))
    return astype(moveaxis(np.sum(groups * _weights(bitorder), axis=-1), -1, axis), np.uint8)


@implements(np.unpackbits)
def unpackbits(a: Any, /, axis: Any = None, count: Any = None, bitorder: str = "big") -> Any:
    a = as_array(a)
    if a.dtype != np.uint8:
        raise TypeError("Expected an input array of unsigned byte data type")
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    groups = astype(moveaxis(a, axis, -1), np.int64)
    bits = np.remainder(np.floor_divide(groups[..., None], _weights(bitorder)), 2)
    bits = reshape(bits, (*bits.shape[:-2], bits.shape[-2] * 8))
    n = bits.shape[-1]
    if count is not None:
        length = count if count >= 0 else n + count
        bits = bits[..., :length]
        if length > n:
            zeros = np.zeros((*bits.shape[:-1], length - n), np.int64)
            bits = concatenate([bits, zeros], -1)
    return astype(moveaxis(bits, -1, axis), np.uint8)
