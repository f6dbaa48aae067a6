"""Calls of scipy.fft."""

from __future__ import annotations

import numpy as np
import scipy.fft

from support.cases import Cases

rng = np.random.default_rng(0)
X, Z = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))

cases = Cases(scipy.fft, "functorch_like.scipy.fft")
for name in ("fft", "ifft", "hfft", "irfft"):
    cases(name, Z)
    cases(name, Z, n=6, axis=0, norm="ortho")
    cases(name, X)
for name in ("rfft", "ihfft"):
    cases(name, X)
    cases(name, X, n=5, axis=-2, norm="forward")
for name in ("fft2", "ifft2", "fftn", "ifftn", "irfft2", "irfftn", "hfft2", "hfftn"):
    cases(name, Z)
    cases(name, Z, s=(2, 5), axes=(1, 0))
for name in ("rfft2", "rfftn", "ihfft2", "ihfftn"):
    cases(name, X)
    cases(name, X, s=(2, 5), axes=(1, 0), norm="ortho")
for name in ("dct", "idct", "dst", "idst"):
    for kind in (1, 2, 3, 4):
        cases(name, X, type=kind)
    cases(name, Z, type=2, n=6, axis=0, norm="ortho")
    cases(name, X, type=3, n=3, norm="forward", orthogonalize=True)
    cases(name, X, type=1, norm="ortho", orthogonalize=False)
for name in ("dctn", "idctn", "dstn", "idstn"):
    cases(name, X)
    cases(name, X, type=3, s=(2, 5), axes=(1, 0), norm="ortho")
for name in ("fftshift", "ifftshift"):
    cases(name, X)
    cases(name, Z, axes=1)
cases.refuse(
    "its coefficients have no derivatives here; write it with fft and scipy.special.loggamma",
    "fht", "ifht",
)  # fmt: skip
cases.other("frequencies and lengths; takes no arrays",
            "fftfreq", "rfftfreq", "fhtoffset", "next_fast_len", "prev_fast_len")  # fmt: skip
cases.other("a setting", "get_workers", "set_workers", "register_backend", "set_backend",
            "set_global_backend", "skip_backend")  # fmt: skip
