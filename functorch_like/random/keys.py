"""Keys: what they are, how they are made and split, and the bits they give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import user_line
from ..kernels.device import is_gpu
from ..numpy.elementwise import as_operand, discretize
from ..primitives import random as p
from ..primitives.core import Tracer, dtype_of, shape_of
from ..primitives.core import beside as placed_beside
from ..primitives.elementwise import bitwise_and, right_shift
from ..primitives.structural import broadcast_to, concatenate, convert, reshape

__all__ = ["PRNGKey", "bits", "fold_in", "key", "key_data", "split", "wrap_key_data"]

Shape = Any  # an integer or a sequence of integers


def key(seed: Any) -> Any:
    """Key of a seed.

    Parameters
    ----------
    seed
        An integer (its low 64 bits count), which may be traced.

    Returns
    -------
    uint32, shape (2,): the high and the low word of the seed. It is an ordinary array, which
    can be stacked, batched by ``vmap``, carried by ``scan`` and kept in files.

    Raises
    ------
    TypeError
        If the seed is no integer scalar.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.key(7)
    array([0, 7], dtype=uint32)
    >>> float(ft.random.uniform(ft.random.key(7))) == float(ft.random.uniform(ft.random.key(7)))
    True
    """
    if type(seed) is int:
        return np.array([(seed >> 32) & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)
    seed = as_operand(seed)
    if dtype_of(seed).kind not in "iu" or shape_of(seed) != ():
        raise TypeError(
            f"random.key: expected an integer seed; got shape {shape_of(seed)} and dtype "
            f"{dtype_of(seed)}, at {user_line()}; for many keys, split one."
        )
    return _words(seed)


PRNGKey = key


def _words(seed: Any) -> Any:
    """High and low word of an integer scalar."""
    if not isinstance(seed, Tracer):
        seed = np.asarray(seed)
    seed = convert(seed, dtype=np.dtype(np.int64))
    return _joined(right_shift(seed, 32), seed)


def _joined(*words: Any) -> Any:
    """The low 32 bits of integer scalars as an array."""
    parts = [convert(bitwise_and(w, 0xFFFFFFFF), dtype=np.dtype(np.uint32)) for w in words]
    return concatenate(*[reshape(w, shape=(1,)) for w in parts], axis=0)


def checked_key(name: str, key: Any) -> Any:
    """The key as an operand.

    Raises
    ------
    TypeError
        If it is none.
    """
    if isinstance(key, list):
        key = as_operand(key)
    if not isinstance(key, (np.ndarray, Tracer)) and not is_gpu(key):
        generator = isinstance(key, (np.random.Generator, np.random.RandomState))
        hint = (
            "NumPy's generators have a state, which transforms cannot follow; make a key with "
            "functorch_like.random.key(seed) and split it"
            if generator
            else "make one with functorch_like.random.key(seed)"
        )
        raise TypeError(
            f"random.{name}: expected a key, an array of uint32 of shape (2,); got "
            f"{type(key).__name__}, at {user_line()}; {hint}."
        )
    if key.dtype != np.uint32 or key.shape != (2,):
        many = key.dtype == np.uint32 and key.shape[-1:] == (2,)
        hint = (
            f"functorch_like.vmap(lambda key: {name}(key, ...))(keys) takes many keys"
            if many
            else "make one with functorch_like.random.key(seed)"
        )
        raise TypeError(
            f"random.{name}: expected a key, an array of uint32 of shape (2,); got shape "
            f"{key.shape} and dtype {key.dtype}, at {user_line()}; {hint}."
        )
    return key


def checked_shape(name: str, shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of Python integers.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    try:
        shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        sizes = tuple(int(n) if not isinstance(n, float) else _refuse(n) for n in shape)
    except TypeError as error:
        raise TypeError(
            f"random.{name}: expected a shape, a tuple of integers; got {shape!r}, at "
            f"{user_line()}; shapes cannot be traced."
        ) from error
    if any(n < 0 for n in sizes):
        raise ValueError(
            f"random.{name}: expected a shape without negative sizes; got {sizes}, at "
            f"{user_line()}."
        )
    return sizes


def _refuse(x: Any) -> int:
    raise TypeError(f"{x!r} is no integer")


def split(key: Any, num: Shape = 2) -> Any:
    """New keys from a key, whose streams are independent of each other.

    The key itself must not be used again: use the new ones.

    Parameters
    ----------
    key
        uint32, (2,).
    num
        How many, or the shape of an array of keys.

    Returns
    -------
    uint32, shape (num, 2), or ``(*num, 2)``.

    Examples
    --------
    >>> import functorch_like as ft
    >>> key, noise, start = ft.random.split(ft.random.key(0), 3)
    >>> ft.random.split(key, (4, 5)).shape
    (4, 5, 2)
    """
    key = checked_key("split", key)
    return p.random_split(key, shape=checked_shape("split", num))


def fold_in(key: Any, data: Any) -> Any:
    """Key made of a key and an integer: a step's number, a device's, a row's.

    Parameters
    ----------
    key
        uint32, (2,).
    data
        An integer scalar, which may be traced; its low 32 bits count.

    Returns
    -------
    uint32, (2,).

    Raises
    ------
    TypeError
        If ``data`` is no integer scalar.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.fold_in(ft.random.key(0), 3).shape
    (2,)
    """
    key = checked_key("fold_in", key)
    data = as_operand(data)
    if dtype_of(data).kind not in "iu" or shape_of(data) != ():
        raise TypeError(
            f"random.fold_in: expected an integer scalar; got shape {shape_of(data)} and dtype "
            f"{dtype_of(data)}, at {user_line()}; use vmap to fold in several."
        )
    if not isinstance(data, Tracer):
        data = np.asarray(data)
    zero = np.zeros((), np.int64)
    return p.random_fold(key, _joined(zero, convert(data, dtype=np.dtype(np.int64))))


def bits(key: Any, shape: Shape = (), dtype: Any = np.uint64) -> Any:
    """Random bits.

    Parameters
    ----------
    key
        uint32, (2,).
    shape
        Shape of the result.
    dtype
        An unsigned integer dtype, uint64 by default.

    Returns
    -------
    Array whose every value of ``dtype`` is equally likely.

    Raises
    ------
    TypeError
        If ``dtype`` is no unsigned integer dtype.

    Examples
    --------
    >>> import functorch_like as ft
    >>> ft.random.bits(ft.random.key(0), (2,), "uint8").dtype
    dtype('uint8')
    """
    key, dtype = checked_key("bits", key), np.dtype(dtype)
    if dtype.kind != "u":
        raise TypeError(
            f"random.bits: expected an unsigned integer dtype; got {dtype}, at {user_line()}; "
            "randint draws signed integers."
        )
    return p.random_bits(key, shape=checked_shape("bits", shape), width=8 * dtype.itemsize)


def key_data(keys: Any) -> Any:
    """The words of keys: keys are their words, so the array itself."""
    return keys


def wrap_key_data(key_bits_array: Any) -> Any:
    """Keys of words: a uint32 array whose last axis has 2 elements, itself."""
    data = as_operand(key_bits_array)
    if dtype_of(data) != np.uint32 or shape_of(data)[-1:] != (2,):
        raise TypeError(
            "random.wrap_key_data: expected uint32 with a last axis of 2; got shape "
            f"{shape_of(data)} and dtype {dtype_of(data)}, at {user_line()}."
        )
    return data


# --- parameters of the distributions -----------------------------------------------------------


def floating(name: str, dtype: Any, half: bool = False) -> np.dtype:
    """The dtype of real samples: float64 unless told.

    Raises
    ------
    TypeError
        If it is none that can be sampled.
    """
    dtype = np.dtype(np.float64 if dtype is None else dtype)
    if dtype.kind != "f" or dtype.itemsize > 8 or (dtype.itemsize < 4 and not half):
        raise TypeError(
            f"random.{name}: expected dtype float32 or float64{' or float16' if half else ''}; "
            f"got {dtype}, at {user_line()}."
        )
    return dtype


def integer(name: str, dtype: Any) -> np.dtype:
    """The dtype of counts: int64 unless told.

    Raises
    ------
    TypeError
        If it is none.
    """
    dtype = np.dtype(np.int64 if dtype is None else dtype)
    if dtype.kind not in "iu":
        raise TypeError(f"random.{name}: expected an integer dtype; got {dtype}, at {user_line()}.")
    return dtype


def common_shape(name: str, shape: Any, **parameters: Any) -> tuple[int, ...]:
    """``shape``, or the shape that the parameters broadcast to.

    Raises
    ------
    ValueError
        If the parameters do not broadcast to it.
    """
    shapes = {k: shape_of(as_operand(x)) for k, x in parameters.items()}
    wanted = None if shape is None else checked_shape(name, shape)
    try:
        common = np.broadcast_shapes(*shapes.values())
        if wanted is not None and np.broadcast_shapes(wanted, common) != wanted:
            raise ValueError
    except ValueError:
        listed = ", ".join(f"{k} of shape {s}" for k, s in shapes.items())
        target = "one shape" if wanted is None else f"shape={wanted}"
        raise ValueError(
            f"random.{name}: expected parameters that broadcast to {target}; got {listed}, at "
            f"{user_line()}."
        ) from None
    return common if wanted is None else wanted


def beside(key: Any, x: Any) -> Any:
    """A parameter on the key's device."""
    return placed_beside(key, x) if isinstance(x, np.ndarray) else x


def parameter(x: Any, dtype: np.dtype, shape: tuple[int, ...]) -> Any:
    """A parameter converted to a dtype and broadcast to a shape."""
    x = as_operand(x)
    if not isinstance(x, Tracer) and not is_gpu(x):
        x = np.asarray(x)
    if x.dtype != dtype:
        x = discretize(x, dtype) if dtype.kind in "iub" else convert(x, dtype=dtype)
    return x if x.shape == shape else broadcast_to(x, shape=shape)


def size_of(shape: tuple[int, ...]) -> int:
    """Number of elements."""
    return math.prod(shape)
