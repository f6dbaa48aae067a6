"""Calls of numpy.fft."""

from __future__ import annotations

import numpy as np

from support.cases import Cases

rng = np.random.default_rng(0)
X, Z = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))

cases = Cases(np.fft, "functorch_like.numpy.fft")
for name in ("fft", "ifft", "hfft", "irfft"):
    cases(name, Z)
    cases(name, Z, n=6, axis=0, norm="ortho")
    cases(name, X)
for name in ("rfft", "ihfft"):
    cases(name, X)
    cases(name, X, n=5, axis=-2, norm="forward")
for name in ("fft2", "ifft2", "fftn", "ifftn", "irfft2", "irfftn"):
    cases(name, Z)
    cases(name, Z, s=(2, 5), axes=(1, 0))
for name in ("rfft2", "rfftn"):
    cases(name, X)
    cases(name, X, s=(2, 5), axes=(1, 0), norm="ortho")
for name in ("fftshift", "ifftshift"):
    cases(name, X)
    cases(name, Z, axes=1)
cases.other("frequencies; takes no arrays", "fftfreq", "rfftfreq")
