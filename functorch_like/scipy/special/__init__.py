"""Special functions of plain and traced arrays, under scipy.special's names.

The ufuncs of scipy.special take traced arrays themselves, so ``scipy.special.erf(x)`` needs
nothing from here; importing this module is what connects them. Functions of scipy.special that are
written in Python (``logsumexp``, ``softmax``, ``polygamma``, ``zeta`` ...) do not ask their
arguments: use the ones of this module, which on plain arrays are SciPy's.
"""

from __future__ import annotations

import scipy.special as _scipy_special
from scipy.special import *  # noqa: F403  (the ufuncs, and what takes plain arrays only)

from .connect import connect_ufuncs
from .exponentials import log_softmax, logsumexp, softmax
from .functions import (
    assoc_laguerre,
    assoc_legendre_p,
    assoc_legendre_p_all,
    comb,
    diric,
    factorial,
    h1vp,
    h2vp,
    ivp,
    jvp,
    kvp,
    lambertw,
    legendre_p,
    legendre_p_all,
    multigammaln,
    perm,
    polygamma,
    riccati_jn,
    riccati_yn,
    softplus,
    sph_harm_y,
    sph_harm_y_all,
    sph_legendre_p,
    sph_legendre_p_all,
    spherical_in,
    spherical_jn,
    spherical_kn,
    spherical_yn,
    yvp,
    zeta,
)

connect_ufuncs()

__all__ = list(_scipy_special.__all__)
