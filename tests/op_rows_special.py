"""Rows of the table for the primitives of special and fft: operands inside their domains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like.primitives.fft
import functorch_like.primitives.special  # noqa: F401  (declare the primitives)


def add_rows(
    row: Callable,
    normal: Callable,
    uniform: Callable,
    constant: Callable,
    F8: Any,
    F4: Any,
    C16: Any,
) -> None:
    """Add a row or more for each primitive."""
    for name in (
        "erf", "erfc", "erfcx", "dawsn", "ndtr", "log_ndtr", "expit", "log_expit", "exprel",
        "cosm1", "j0", "j1", "i0", "i1", "sinc", "numpy_i0", "rgamma",
    ):  # fmt: skip
        row(name, normal(3))
    row("exp10", uniform(-1, 1, 3))
    row("erfinv", uniform(-0.8, 0.8, 3))
    for name in (
        "gamma", "gammaln", "loggamma", "psi", "entr", "y0", "y1", "k0", "k1", "i0e", "i1e", "k0e",
        "k1e", "exp1", "expi",
    ):  # fmt: skip
        row(name, uniform(0.6, 3, 3))
    row("erfcinv", uniform(0.3, 1.6, 3))
    for name in ("ndtri", "logit", "ellipk", "ellipe", "ellipkm1"):
        row(name, uniform(0.1, 0.9, 3))
    for name in ("beta", "betaln", "xlogy", "xlog1py", "rel_entr", "kl_div"):
        row(name, uniform(0.6, 3, 3), uniform(0.6, 3, 3))
    for name in ("boxcox", "boxcox1p"):
        row(name, uniform(0.6, 3, 3), uniform(0.3, 2, 3))
    for name in ("inv_boxcox", "inv_boxcox1p"):
        row(name, uniform(0.1, 1, 3), uniform(0.3, 2, 3))

    # Orders and other operands without derivative: arrays of the dtype, as the sweeps promote.
    def fixed(value: float) -> Callable:
        return lambda rng, dtype: np.full(3, value, dtype)

    for name in ("jv", "yv", "iv", "kv", "ive", "kve", "gammainc", "gammaincc", "zeta"):
        row(name, fixed(2.5), uniform(0.6, 3, 3), check=(1,))
    for name in ("polygamma", "expn", "spherical_jn"):
        row(name, constant(np.array([0, 1, 2])), uniform(0.6, 3, 3), check=(1,), dtypes=(F8,))
    row("hyp1f1", fixed(1.5), fixed(2.5), normal(3), check=(2,))
    row("hyp2f1", fixed(1.5), fixed(0.5), fixed(2.5), uniform(-0.7, 0.7, 3), check=(3,))
    row("betainc", fixed(2.5), fixed(1.5), uniform(0.1, 0.9, 3), check=(2,))

    for n in (3, 4, 6):  # cut, as it is, padded
        for name in ("fft", "ifft"):
            params = {"n": n, "axis": 1, "norm": None}
            row(name, normal(2, 4), params=params, dtypes=(F8, F4, C16), label=f"n={n}")
        row("rfft", normal(2, 4), params={"n": n, "axis": 1, "norm": "ortho"}, label=f"n={n}")

    def spectrum(rng: Any, dtype: Any) -> Any:
        x = rng.normal(size=(2, 4)) + 1j * rng.normal(size=(2, 4))
        return x.astype(np.result_type(dtype, np.complex64))

    for n in (4, 5, 6, 9):
        params = {"n": n, "axis": 1, "norm": "forward"}
        row("irfft", spectrum, params=params, dtypes=(C16,), label=f"n={n}")
    row("convolve", normal(5), normal(3), dtypes=(F8, F4, C16))
    row("convolve", normal(2, 3), normal(2, 3), label="batch")
