"""Calls of numpy.fft: every keyword, odd and even lengths, cut and padded, all axes."""

from __future__ import annotations

import numpy as np

from support.cases import Cases

rng = np.random.default_rng(0)
X, Z = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))
X3, Z3 = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 3, 5)) + 1j * rng.normal(size=(2, 3, 5))
NORMS = ("backward", "ortho", "forward")

cases = Cases(np.fft, "functorch_like.numpy.fft")
for name in ("fft", "ifft", "hfft", "irfft"):
    cases(name, Z)
    cases(name, X)
    cases(name, Z3[0, 0])
    for norm in NORMS:
        cases(name, Z, n=6, axis=0, norm=norm)
        cases(name, Z, n=5, norm=norm)
        cases(name, Z, n=3, axis=-1, norm=norm)
    cases(name, X3, n=1, axis=1)
for name in ("rfft", "ihfft"):
    cases(name, X)
    for norm in NORMS:
        cases(name, X, n=5, axis=-2, norm=norm)
        cases(name, X, n=2, norm=norm)
for name in ("fft2", "ifft2", "fftn", "ifftn", "irfft2", "irfftn"):
    cases(name, Z)
    cases(name, X)
    for norm in NORMS:
        cases(name, Z, s=(2, 5), axes=(1, 0), norm=norm)
        cases(name, Z3, s=(-1, 4), axes=(-1, 1), norm=norm)
    cases(name, Z3, axes=(0, 2))
for name in ("rfft2", "rfftn"):
    cases(name, X)
    for norm in NORMS:
        cases(name, X, s=(2, 5), axes=(1, 0), norm=norm)
        cases(name, X3, s=(-1, 4), axes=(-1, 1), norm=norm)
    cases(name, X3, axes=(0, 2))
for name in ("fftn", "ifftn", "irfftn", "rfftn"):
    cases(name, X3 if name == "rfftn" else Z3)
    cases(name, X3 if name == "rfftn" else Z3, axes=(1,))
    # the same axis twice is transformed twice
    cases(name, X3 if name == "rfftn" else Z3, axes=(2, 1, 1))
for name in ("fftshift", "ifftshift"):
    cases(name, X3)
    cases(name, Z, axes=1)
    cases(name, Z3, axes=(0, -1))
cases.other("frequencies; takes no arrays", "fftfreq", "rfftfreq")
