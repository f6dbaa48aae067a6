"""Signal processing of plain and traced arrays, under scipy.signal's names.

The compiled loops of scipy.signal are here: filters, correlations, resampling, order statistics.
Everything that SciPy itself writes in Python above them (``welch``, ``stft``, ``filtfilt``,
``hilbert``, ``savgol_filter``, ``freqz``, the windows ...) runs from SciPy's source, see
``source.py``.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..errors import boundary
from ..numpy.elementwise import as_operand
from ..numpy.manipulation import astype, normalize_axis
from ..primitives import filtering as p
from ..primitives.core import shape_of
from .ndimage import filters, interpolation
from .source import Refusals, attributes, has_tracer, replaces, take

__all__ = [
    "bilinear", "cspline1d_eval", "lfilter", "qspline1d_eval", "sawtooth", "sosfilt", "square",
    "upfirdn",
]  # fmt: skip


def _common(*operands: Any) -> list[Any]:
    """Operands converted to the one dtype they promote to."""
    arrays = [as_operand(x) for x in operands]
    arrays = [x if hasattr(x, "dtype") else np.asarray(x) for x in arrays]
    dtype = np.result_type(*[x.dtype for x in arrays])
    if dtype.kind not in "fc":
        dtype = np.dtype(np.float64)
    return [x if x.dtype == dtype else astype(x, dtype) for x in arrays]


# --- recursive filters ---------------------------------------------------------------------------


@boundary
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter along one axis: sum_k a[k] y[n-k] = sum_k b[k] x[n-k].

    Parameters
    ----------
    b, a
        Coefficients of the numerator and of the denominator, of shapes (nb,) and (na,).
    x
        Signal.
    axis
        The axis of time.
    zi
        The state before the first sample (transposed direct form II), of the shape of ``x`` with
        length ``max(na, nb) - 1`` along ``axis``; from rest by default.

    Returns
    -------
    array of the shape of ``x``, and with ``zi`` the state after the last sample

    Raises
    ------
    ValueError
        If the coefficients are not vectors, or the state has another shape.

    Notes
    -----
    Differentiable in all operands. The transpose in ``x`` is the same filter run backwards.

    Examples
    --------
    >>> import numpy as np
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.signal import lfilter
    >>> ft.grad(lambda a: lfilter([1.0], np.stack([1.0, -a]), np.ones(4))[-1])(0.5)
    np.float64(2.75)
    """
    if not has_tracer([b, a, x, zi]):
        import scipy.signal

        return scipy.signal.lfilter(b, a, x, axis, zi)
    b, a = np.atleast_1d(as_operand(b)), np.atleast_1d(as_operand(a))
    x = as_operand(x)
    for name, v in (("b", b), ("a", a)):
        if v.ndim != 1 or v.shape[0] == 0:
            raise ValueError(
                f"lfilter: expected a vector of coefficients {name}; got shape {v.shape}."
            )
    axis = normalize_axis(axis, len(shape_of(x)))
    if zi is None:
        b, a, x = _common(b, a, x)
        return np.moveaxis(p.linear_filter(np.moveaxis(x, axis, -1), b, a), -1, axis)
    b, a, x, zi = _common(b, a, x, zi)
    order = max(b.shape[0], a.shape[0]) - 1
    shape = (*x.shape[:axis], order, *x.shape[axis + 1 :])
    if zi.ndim != x.ndim or any(n not in (1, m) for n, m in zip(zi.shape, shape, strict=True)):
        raise ValueError(f"lfilter: expected a state zi of shape {shape}; got {zi.shape}.")
    zi = np.broadcast_to(zi, shape)
    y, state = _run(b, a, np.moveaxis(x, axis, -1), np.moveaxis(zi, axis, -1))
    return np.moveaxis(y, -1, axis), np.moveaxis(state, -1, axis)


def _run(b: Any, a: Any, x: Any, z: Any) -> tuple[Any, Any]:
    """The filter along the last axis from the state ``z``, and the state after it."""
    first = a[0]
    a, b = a / first, b / first
    n, order = x.shape[-1], z.shape[-1]
    if order == 0:
        return p.linear_filter(x, b, a), z
    # A y = B x + z: the state is a drive of the recursion in the first samples.
    shorter = min(n, order)
    drive = p.pad_zeros(z[..., :shorter], (0,), (n - shorter,))
    y = p.linear_filter(x, b, a) + p.linear_filter(drive, np.ones(1, x.dtype), a)
    # z_k = sum_i b[k+1+i] x[-1-i] - a[k+1+i] y[-1-i], and what of z has not come out yet.
    k, i = np.indices((order, order))
    lag = k + 1 + i
    last = [
        np.pad(v, [(0, 0)] * (v.ndim - 1) + [(max(order - n, 0), 0)])[..., : -order - 1 : -1]
        for v in (x, y)
    ]
    taps = [
        np.where(lag < v.shape[0], v[np.minimum(lag, v.shape[0] - 1)], np.zeros((), v.dtype))
        for v in (b, a)
    ]
    state = last[0] @ taps[0].T - last[1] @ taps[1].T
    if n < order:
        state = state + p.pad_zeros(z[..., n:], (0,), (n,))
    return y, state


@replaces("scipy.signal._signaltools", "_sosfilt")
def _sosfilt_loop(sos: Any, x: Any, zi: Any) -> None:
    """Cascaded sections on rows, in place: x (n, samples), zi (n, sections, 2)."""
    states = []
    y = x
    for section in range(shape_of(sos)[0]):
        b, a, row = _common(sos[section, :3], sos[section, 3:], y)
        y, state = _run(b, a, row, astype(zi[:, section], row.dtype))
        states.append(state)
    x[...] = y
    zi[...] = np.stack(states, 1)


@boundary
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filter along one axis through second-order sections.

    Parameters
    ----------
    sos
        Sections, of shape (sections, 6): each ``b0 b1 b2 a0 a1 a2`` with ``a0 = 1``.
    x
        Signal.
    axis
        The axis of time.
    zi
        The state before the first sample: (sections, ..., 2, ...) with 2 in place of ``axis``.

    Returns
    -------
    array of the shape of ``x``, and with ``zi`` the state after the last sample

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.scipy.signal import sosfilt
    >>> print(sosfilt([[1.0, 0, 0, 1, -0.5, 0]], np.ones(3)))
    [1.   1.5  1.75]
    """
    if not has_tracer([sos, x, zi]):
        import scipy.signal

        return scipy.signal.sosfilt(sos, x, axis, zi)
    sos, x = as_operand(sos), as_operand(x)
    if len(shape_of(sos)) != 2 or shape_of(sos)[1] != 6:
        raise ValueError(f"sosfilt: expected sections of shape (n, 6); got {shape_of(sos)}.")
    axis = normalize_axis(axis, len(shape_of(x)))
    sections = shape_of(sos)[0]
    moved = np.moveaxis(x, axis, -1)
    state_shape = (sections, *shape_of(x)[:axis], 2, *shape_of(x)[axis + 1 :])
    if zi is None:
        states = np.zeros((*moved.shape[:-1], sections, 2))
    else:
        zi = as_operand(zi)
        if shape_of(zi) != state_shape:
            raise ValueError(
                f"sosfilt: expected a state zi of shape {state_shape}; got {shape_of(zi)}."
            )
        states = np.moveaxis(np.moveaxis(zi, axis + 1, -1), 0, -2)
    after = []
    for k in range(sections):
        b, a, row, state = _common(sos[k, :3], sos[k, 3:], moved, states[..., k, :])
        if zi is None:
            moved = p.linear_filter(row, b, a)
        else:
            moved, state = _run(b, a, row, state)
        after.append(state)
    y = np.moveaxis(moved, -1, axis)
    if zi is None:
        return y
    return y, np.moveaxis(np.stack(after), -1, axis + 1)


# --- convolutions --------------------------------------------------------------------------------


@replaces("scipy.signal._sigtools", "_correlateND")
def _correlate(x: Any, y: Any, out: Any, mode: int) -> Any:
    """Mode valid (0), same (1) or full (2); in the last two SciPy has padded ``x`` at its end."""
    x, y = _common(x, np.conj(y))
    sides = [n - 1 for n in y.shape]
    if mode:
        x = p.pad_zeros(x, sides, [0] * x.ndim)
    full = p.correlate_valid(x, y, ndim=x.ndim)
    if mode == 1:
        lengths = shape_of(out)
        starts = [n // 2 for n in sides]
        full = full[tuple(slice(s, s + n) for s, n in zip(starts, lengths, strict=True))]
    return full


_BOUNDARIES = {0: "constant", 4: "symmetric", 8: "wrap", 16: "reflect"}  # SciPy's codes


@replaces("scipy.signal._sigtools", "_convolve2d")
def _convolve2d(x: Any, y: Any, flip: int, mode: int, boundary: int, fill: Any) -> Any:
    x, y = _common(x, y)
    sides = [n - 1 for n in y.shape]
    kind = _BOUNDARIES[boundary]
    if mode:
        pads = [(n, n) for n in sides]
        value = np.asarray(fill).ravel()[0] if not has_tracer(fill) else fill
        pad: Any = np.pad
        x = pad(x, pads, kind, **({"constant_values": value} if kind == "constant" else {}))
    full = p.correlate_valid(x, p.reverse(y, 2) if flip else y, ndim=2)
    if mode == 1:
        starts = [n // 2 if flip else (n + 1) // 2 for n in sides]
        sizes = [m - n for m, n in zip(full.shape, sides, strict=True)]
        full = full[tuple(slice(s, s + n) for s, n in zip(starts, sizes, strict=True))]
    return full


@boundary
@replaces("scipy.signal._upfirdn", "upfirdn")
def upfirdn(
    h: Any,
    x: Any,
    up: int = 1,
    down: int = 1,
    axis: int = -1,
    mode: str = "constant",
    cval: Any = 0,
) -> Any:
    """Insert zeros, filter by a finite impulse response, and keep every so many samples.

    Parameters
    ----------
    h
        Filter, of shape (m,).
    x
        Signal.
    up, down
        ``up - 1`` zeros follow each sample; every ``down``-th sample is kept.
    axis
        The axis of time.
    mode
        How the signal goes on beyond its ends: constant, symmetric, reflect, edge or wrap.
    cval
        Its value there for ``mode="constant"``.

    Returns
    -------
    array, as ``x`` but along ``axis``

    Examples
    --------
    >>> from functorch_like.scipy.signal import upfirdn
    >>> print(upfirdn([0.5, 1.0, 0.5], [1.0, 2.0, 3.0], 2))
    [0.5 1.  1.5 2.  2.5 3.  1.5]
    """
    if not has_tracer([h, x, cval]):
        import scipy.signal

        return scipy.signal.upfirdn(h, x, up, down, axis, mode, cval)
    if mode.lower() not in ("constant", "symmetric", "reflect", "edge", "wrap"):
        raise ValueError(
            f"upfirdn: expected mode constant, symmetric, reflect, edge or wrap of traced arrays; "
            f"got {mode!r}; extend the signal before."
        )
    up, down = operator.index(up), operator.index(down)
    if up < 1 or down < 1:
        raise ValueError("Both up and down must be >= 1")
    h, x = _common(h, x)
    if h.ndim != 1 or h.shape[0] == 0:
        raise ValueError(f"upfirdn: expected a filter of shape (m,); got {h.shape}.")
    x = np.moveaxis(x, normalize_axis(axis, x.ndim), -1)
    n = x.shape[-1]
    taps = -(-h.shape[0] // up)
    pads = [(0, 0)] * (x.ndim - 1) + [(taps - 1, taps - 1)]
    options: dict = {"constant_values": cval} if mode == "constant" else {}
    pad: Any = np.pad
    x = pad(x, pads, mode, **options)
    # One filter at the slow rate for each position between two samples.
    phases = [
        p.correlate_valid(x, p.reverse(_padded(h[k::up], taps), 1), ndim=1) for k in range(up)
    ]
    full = np.stack(phases, -1).reshape((*x.shape[:-1], -1)) if up > 1 else phases[0]
    length = (((n - 1) * up + h.shape[0]) - 1) // down + 1
    return np.moveaxis(full[..., ::down][..., :length], -1, axis)


def _padded(h: Any, length: int) -> Any:
    return p.pad_zeros(h, (0,), (length - shape_of(h)[0],))


# --- order statistics, separable filters, splines ------------------------------------------------


@replaces("scipy.signal._sigtools", "_medfilt2d")
def _medfilt2d(x: Any, sizes: Any) -> Any:
    footprint = np.ones(np.asarray(sizes), bool)
    out = np.zeros_like(x)
    filters.rank_filter(x, footprint.size // 2, footprint, out, 4, 0.0, [0, 0])
    return out


@replaces("scipy.signal._spline", "sepfir2d")
@replaces("scipy.signal._spline_filters", "sepfir2d")
def _sepfir2d(x: Any, rows: Any, columns: Any) -> Any:
    """Separable convolution in an image that is mirrored at its edges (odd lengths)."""
    for axis, taps in ((1, rows), (0, columns)):
        out = np.zeros_like(x)
        filters.correlate1d(x, np.flip(taps), axis, out, 2, 0.0, 0)
        x = out
    return x


def _spline_value(cj: Any, newx: Any, dx: Any, x0: Any, order: int) -> Any:
    cj = as_operand(cj)
    x = (as_operand(newx) - x0) / dx
    n = shape_of(cj)[0]
    x = interpolation.inside(x, n, interpolation.MIRROR)
    index, weights = interpolation.neighbours(x, order)
    index = np.clip(index, 0, n - 1)
    parts = [w * take(cj, index[j]) for j, w in enumerate(weights)]
    return sum(parts[1:], parts[0])


@replaces("scipy.signal._spline_filters")
def cspline1d_eval(cj: Any, newx: Any, dx: Any = 1.0, x0: Any = 0) -> Any:
    """The cubic spline with coefficients ``cj`` (n,) on the points ``x0 + dx k``, at ``newx``.

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.scipy.signal import cspline1d_eval
    >>> print(cspline1d_eval(np.ones(5), np.array([0.5, 2.0])))
    [1. 1.]
    """
    if not has_tracer([cj, newx, dx, x0]):
        import scipy.signal

        return scipy.signal.cspline1d_eval(cj, newx, dx, x0)
    return _spline_value(cj, newx, dx, x0, 3)


@replaces("scipy.signal._spline_filters")
def qspline1d_eval(cj: Any, newx: Any, dx: Any = 1.0, x0: Any = 0) -> Any:
    """The quadratic spline with coefficients ``cj`` (n,) on the points ``x0 + dx k``, at ``newx``.

    Examples
    --------
    >>> import numpy as np
    >>> from functorch_like.scipy.signal import qspline1d_eval
    >>> print(qspline1d_eval(np.ones(5), np.array([0.5, 2.0])))
    [1. 1.]
    """
    if not has_tracer([cj, newx, dx, x0]):
        import scipy.signal

        return scipy.signal.qspline1d_eval(cj, newx, dx, x0)
    return _spline_value(cj, newx, dx, x0, 2)


# --- transfer functions --------------------------------------------------------------------------


@replaces("scipy.signal._filter_design")
def bilinear(b: Any, a: Any, fs: Any = 1.0) -> tuple[Any, Any]:
    """Digital filter of an analog one by s = 2 fs (z - 1) / (z + 1).

    Parameters
    ----------
    b, a
        Coefficients of numerator and denominator, highest power first.
    fs
        Sampling frequency.

    Returns
    -------
    pair of arrays
        The coefficients, those of the denominator beginning with 1.

    Examples
    --------
    >>> from functorch_like.scipy.signal import bilinear
    >>> b, a = bilinear([1.0], [1.0, 1.0], 0.5)
    >>> print(b, a)
    [0.5 0.5] [1. 0.]
    """
    if not has_tracer([b, a, fs]):
        import scipy.signal

        return scipy.signal.bilinear(b, a, fs)
    b, a = (np.atleast_1d(as_operand(v)) for v in (b, a))
    order = max(b.shape[0], a.shape[0]) - 1
    # Column k: the coefficients of (z - 1)^k (z + 1)^(order - k), highest power first.
    basis = np.stack(
        [np.poly([1.0] * k + [-1.0] * (order - k)) if order else np.ones(1)
         for k in range(order + 1)]
    )  # fmt: skip
    powers = np.arange(order + 1)
    scale = (2.0 * fs) ** powers if not has_tracer(fs) else np.power(2.0 * fs, powers * 1.0)
    digital = []
    for v in (b, a):
        low_first = v[::-1] * scale[: v.shape[0]]
        digital.append(low_first @ basis[: v.shape[0]])
    first = digital[1][0]
    return digital[0] / first, digital[1] / first


# --- waveforms -----------------------------------------------------------------------------------


@boundary
def sawtooth(t: Any, width: Any = 1) -> Any:
    """A ramp from -1 to 1 over the fraction ``width`` of each period 2 pi, and back.

    Parameters
    ----------
    t
        Time.
    width
        Fraction of the period that rises, in [0, 1]; NaN beyond.

    Returns
    -------
    array of the common shape

    Examples
    --------
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.signal import sawtooth
    >>> print(round(float(ft.grad(sawtooth)(1.0)), 6))
    0.31831
    """
    if not has_tracer([t, width]):
        import scipy.signal

        return scipy.signal.sawtooth(t, width)
    t, width = _common(t, width)
    turned = np.mod(t, 2 * math.pi)
    rising = turned < 2 * math.pi * width
    # Where a branch is not taken its width may be 0: divide by 1 there.
    up = turned / (math.pi * np.where(rising, width, 1.0)) - 1
    down = (math.pi * (width + 1) - turned) / (math.pi * np.where(rising, 1.0, 1 - width))
    return np.where((width < 0) | (width > 1), np.nan, np.where(rising, up, down))


@boundary
def square(t: Any, duty: Any = 0.5) -> Any:
    """1 over the fraction ``duty`` of each period 2 pi, and -1; its derivative is 0.

    Parameters
    ----------
    t
        Time.
    duty
        Fraction of the period that is 1, in [0, 1]; NaN beyond.

    Returns
    -------
    array of the common shape

    Examples
    --------
    >>> import functorch_like as ft
    >>> from functorch_like.scipy.signal import square
    >>> float(ft.grad(square)(1.0))
    0.0
    """
    if not has_tracer([t, duty]):
        import scipy.signal

        return scipy.signal.square(t, duty)
    t, duty = _common(t, duty)
    high = np.mod(t, 2 * math.pi) < 2 * math.pi * duty
    return np.where((duty < 0) | (duty > 1), np.nan, np.where(high, 1.0, -1.0) + 0.0 * t)


_REFUSALS = Refusals()
_REFUSALS.add(
    "its initial sums are cut off where a compiled loop decides; write the recursion with lfilter, "
    "or use ndimage.spline_filter.",
    "symiirorder1", "symiirorder2", "cspline2d", "qspline2d", "spline_filter",
)  # fmt: skip
_REFUSALS.add(
    "roots are grouped by a search that has no derivative; use the roots themselves (np.roots).",
    "unique_roots", "residue", "residuez", "invres", "invresz",
)  # fmt: skip
_REFUSALS.add(
    "it pairs and sorts roots by value; work with the roots, or with zpk2tf.",
    "zpk2sos", "tf2sos", "sos2zpk", "ss2zpk", "place_poles",
)  # fmt: skip
_REFUSALS.add(
    "its state is that of compiled code; use zoom_fft, czt, stft and istft.",
    "CZT", "ZoomFFT", "ShortTimeFFT",
)  # fmt: skip
_REFUSALS.add(
    "positions of peaks are integers; find them on plain values and index the array.",
    "argrelextrema", "argrelmax", "argrelmin", "find_peaks", "find_peaks_cwt", "peak_prominences",
    "peak_widths",
)  # fmt: skip
_REFUSALS.add(
    "systems are objects of plain arrays; write the response with lfilter, freqz or expm.",
    "StateSpace", "TransferFunction", "ZerosPolesGain", "bode", "dbode", "dfreqresp", "dimpulse",
    "dlsim", "dlti", "dstep", "freqresp", "impulse", "lsim", "lti", "step", "findfreqs",
)  # fmt: skip
_REFUSALS.add(
    "a design: its coefficients are found by searches over plain specifications.",
    "band_stop_obj", "bessel", "besselap", "buttap", "butter", "buttord", "cheb1ap", "cheb1ord",
    "cheb2ap", "cheb2ord", "cheby1", "cheby2", "ellip", "ellipap", "ellipord", "firls", "firwin",
    "firwin2", "firwin_2d", "gammatone", "get_window", "iircomb", "iirdesign", "iirfilter",
    "iirnotch", "iirpeak", "kaiser_atten", "kaiser_beta", "kaiserord", "remez", "savgol_coeffs",
)  # fmt: skip
__getattr__, __dir__ = attributes("scipy.signal", _REFUSALS, globals())
