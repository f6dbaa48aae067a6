"""Rows of the table for the primitives of special and fft: operands inside their domains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import functorch_like.primitives.fft  # noqa: F401  (declare the primitives)
import functorch_like.primitives.special as special


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

    # Orders and other operands without derivative: arrays of the dtype, as the sweeps promote.
    def fixed(value: float) -> Callable:
        return lambda rng, dtype: np.full(3, value, dtype)

    def counts(*values: int) -> Callable:
        return constant(np.array(values))

    only_double: dict[str, Any] = {"dtypes": (F8,)}
    add_unary(row, normal, uniform, C16, F8, F4)
    add_several(row, uniform, fixed)
    add_distributions(row, normal, uniform, fixed)
    add_bessel(row, normal, uniform, fixed, counts, C16)

    # --- orders of derivatives ---
    row("polygamma", counts(0, 1, 2), uniform(0.6, 3, 3), check=(1,), **only_double)
    row("gammainc_by_shape", counts(1, 2, 1), uniform(0.6, 3, 3), uniform(0.6, 3, 3),
        check=(1, 2), **only_double)  # fmt: skip
    row("gamma_density", counts(0, 1, 2), uniform(0.6, 3, 3), uniform(0.6, 3, 3), check=(1, 2),
        **only_double)  # fmt: skip
    for name in ("betainc_by_shapes", "beta_density"):
        row(name, counts(1, 0, 1), counts(0, 1, 1), uniform(0.6, 3, 3), uniform(0.6, 3, 3),
            uniform(0.2, 0.8, 3), check=(2, 3, 4), **only_double)  # fmt: skip
    row("zeta_by_exponent", counts(0, 1, 2), uniform(1.5, 4, 3), uniform(0.6, 3, 3), check=(1, 2),
        **only_double)  # fmt: skip
    row("kolmogorov_by_order", counts(1, 2, 1), uniform(0.5, 1.2, 3), check=(1,), **only_double)
    row("carlson_integral", counts(0, 1, 0), counts(1, 3, 3),
        counts(1, 1, 1), counts(1, 3, 1), counts(0, 0, 2),
        *(uniform(0.6, 3, 3),) * 4, check=(5, 6, 7, 8), **only_double)  # fmt: skip
    for name in ("jv_by_order", "yv_by_order", "ive_by_order", "kve_by_order"):
        row(name, counts(1, 2, 1), uniform(0.6, 3, 3), uniform(0.6, 3, 3), check=(1, 2),
            **only_double)  # fmt: skip

    # --- hypergeometric functions, polynomials ---
    middle = uniform(0.6, 3, 3)
    row("hyp0f1", middle, normal(3))
    row("hyp1f1", middle, middle, normal(3))
    row("hyp2f1", middle, middle, middle, uniform(-0.7, 0.7, 3))
    row("hyp0f1_by_parameters", counts(1, 2, 0), counts(0, 1, 1), middle, normal(3), check=(2, 3),
        **only_double)  # fmt: skip
    row("hyp1f1_by_parameters", counts(1, 1, 0), counts(0, 1, 2), counts(0, 1, 1), middle, middle,
        normal(3), check=(3, 4, 5), **only_double)  # fmt: skip
    row(
        "hyp2f1_by_parameters",
        counts(1, 1, 0),
        counts(0, 1, 1),
        counts(1, 0, 1),
        counts(0, 1, 1),
        middle,
        middle,
        middle,
        uniform(-0.6, 0.6, 3),
        check=(4, 5, 6, 7),
        **only_double,
    )
    row("hyperu", fixed(1.5), fixed(0.5), uniform(0.6, 3, 3), check=(2,))
    for name in ("wright_bessel", "log_wright_bessel"):
        row(name, fixed(0.5), fixed(1.5), uniform(0.6, 2, 3), check=(2,), **only_double)
    for name in (
        "eval_legendre", "eval_chebyt", "eval_chebyu", "eval_chebyc", "eval_chebys",
        "eval_laguerre", "eval_hermite", "eval_hermitenorm", "eval_sh_legendre",
        "eval_sh_chebyt", "eval_sh_chebyu",
    ):  # fmt: skip
        row(name, counts(0, 1, 4), uniform(0.1, 0.9, 3), check=(1,), **only_double)
    for name in ("eval_gegenbauer", "eval_genlaguerre"):
        row(name, counts(0, 1, 4), fixed(0.7), uniform(0.1, 0.9, 3), check=(2,), **only_double)
    for name in ("eval_jacobi", "eval_sh_jacobi"):
        row(name, counts(0, 1, 4), fixed(1.7), fixed(1.2), uniform(0.1, 0.9, 3), check=(3,),
            **only_double)  # fmt: skip
    row("lpmv", counts(0, 1, 2), counts(0, 1, 3), uniform(0.1, 0.9, 3), check=(2,), **only_double)
    row("lambertw", counts(0, 1, -1), normal(3), check=(1,), dtypes=(C16,))

    # --- solutions of equations ---
    for name in ("pbdv", "pbvv", "pbwa"):
        for part in ("value", "slope"):
            row(f"{name}_{part}", fixed(1.3), uniform(0.2, 0.9, 3), check=(1,), **only_double)
    for name in ("a", "b"):
        row(f"mathieu_{name}", fixed(2.0), fixed(1.5), check=(), **only_double)
    for name in ("cem", "sem", "modcem1", "modcem2", "modsem1", "modsem2"):
        for part in ("value", "slope"):
            scale = 30.0 if name in ("cem", "sem") else 1.0
            row(f"mathieu_{name}_{part}", fixed(2.0), fixed(1.5), uniform(0.3 * scale, scale, 3),
                check=(2,), **only_double)  # fmt: skip
    for name, low, high in (
        ("pro_ang1", 0.2, 0.8), ("obl_ang1", 0.2, 0.8), ("pro_rad1", 1.3, 2.5),
        ("obl_rad1", 0.5, 1.5),
    ):  # fmt: skip
        kind = name[:3]
        value = float(getattr(special, f"{kind}_cv")(1.0, 2.0, 1.3))
        for part in ("value", "slope"):
            three = (fixed(1.0), fixed(2.0), fixed(1.3))
            row(f"{name}_{part}", *three, uniform(low, high, 3), check=(3,), **only_double)
            row(f"{name}_cv_{part}", *three, fixed(value), uniform(low, high, 3), check=(4,),
                **only_double)  # fmt: skip
    for name in ("pro_cv", "obl_cv"):
        row(name, fixed(1.0), fixed(2.0), fixed(1.3), check=(), **only_double)

    add_transforms(row, normal, F8, F4, C16)


def add_unary(
    row: Callable, normal: Callable, uniform: Callable, C16: Any, F8: Any, F4: Any
) -> None:
    """Functions of one operand."""
    for name in (
        "erf", "erfc", "erfcx", "erfi", "dawsn", "ndtr", "log_ndtr", "expit", "log_expit", "exprel",
        "cosm1", "j0", "j1", "i0", "i1", "sinc", "numpy_i0", "rgamma", "sindg", "cosdg", "tandg",
        "ber", "bei", "berp", "beip", "itstruve0", "itmodstruve0",
    ):  # fmt: skip
        row(name, normal(3))
    for name in ("fresnel_s", "fresnel_c", "sici_si", "shichi_shi", "wrightomega",
                 "airy_ai", "airy_aip", "airy_bi", "airy_bip"):  # fmt: skip
        row(name, normal(3), dtypes=(F8, F4, C16))
    row("wofz", normal(3), dtypes=(C16,))
    row("exp10", uniform(-1, 1, 3))
    row("erfinv", uniform(-0.8, 0.8, 3))
    row("erfcinv", uniform(0.3, 1.6, 3))
    row("ndtri_exp", uniform(-3, -0.5, 3))
    row("kolmogorov", uniform(0.5, 1.3, 3))
    row("riemann_zeta", uniform(1.5, 4, 3))
    row("zetac", uniform(1.5, 4, 3))
    row("gammasgn", uniform(-2.8, -2.2, 3))
    for name in (
        "gamma", "gammaln", "loggamma", "psi", "entr", "y0", "y1", "k0", "k1", "i0e", "i1e", "k0e",
        "k1e", "exp1", "expi", "sici_ci", "shichi_chi", "spence", "cotdg", "it2struve0",
        "airye_ai", "airye_aip", "airye_bi", "airye_bip",
    ):  # fmt: skip
        row(name, uniform(0.6, 3, 3))
    # Accurate to eight digits in SciPy, or found with private approximations.
    for name in (
        "ker", "kei", "kerp", "keip", "itj0y0_j", "itj0y0_y", "iti0k0_i", "iti0k0_k", "it2j0y0_j",
        "it2j0y0_y", "it2i0k0_i", "it2i0k0_k", "itairy_ai", "itairy_bi", "itairy_ai_left",
        "itairy_bi_left",
    ):  # fmt: skip
        row(name, uniform(0.6, 3, 3), dtypes=(F8,), tolerance=1e-5)
    for name in ("ndtri", "logit", "ellipk", "ellipe", "ellipkm1", "kolmogi"):
        row(name, uniform(0.1, 0.9, 3))


def add_several(row: Callable, uniform: Callable, fixed: Callable) -> None:
    """Functions that are differentiated in several operands."""
    middle = uniform(0.6, 3, 3)
    for name in (
        "beta", "betaln", "xlogy", "xlog1py", "rel_entr", "kl_div", "powm1", "agm", "poch", "zeta",
        "pseudo_huber", "elliprc", "gammainc", "gammaincc", "owens_t",
    ):  # fmt: skip
        low = 1.5 if name == "zeta" else 0.6
        row(name, uniform(low, 3, 3), middle)
    row("huber", uniform(0.6, 1, 3), uniform(1.2, 3, 3))
    row("binom", uniform(4, 6, 3), uniform(0.6, 3, 3))
    row("radian", middle, middle, middle)
    for name in ("boxcox", "boxcox1p"):
        row(name, middle, uniform(0.3, 2, 3))
    for name in ("inv_boxcox", "inv_boxcox1p"):
        row(name, uniform(0.1, 1, 3), uniform(0.3, 2, 3))
    row("tklmbda", uniform(-0.9, 0.9, 3), uniform(0.1, 0.5, 3))
    for name in ("gammaincinv", "gammainccinv"):
        row(name, middle, uniform(0.1, 0.9, 3))
    for name in ("betainc", "betaincc", "betaincinv", "betainccinv"):
        row(name, middle, middle, uniform(0.1, 0.9, 3))
    for name in ("elliprf", "elliprd", "elliprg"):
        row(name, middle, middle, middle)
    row("elliprj", middle, middle, middle, middle)
    for name in ("ellipkinc", "ellipeinc", "ellipj_sn", "ellipj_cn", "ellipj_dn", "ellipj_ph"):
        row(name, uniform(0.3, 1.2, 3), uniform(0.1, 0.8, 3))


def add_distributions(row: Callable, normal: Callable, uniform: Callable, fixed: Callable) -> None:
    """Distribution functions and their inverses, in double precision."""
    double: dict[str, Any] = {"dtypes": (np.dtype("f8"),)}
    middle, share = uniform(0.8, 3, 3), uniform(0.2, 0.8, 3)
    loose: dict[str, Any] = {**double, "tolerance": 1e-4}
    for name in ("gdtr", "gdtrc", "fdtr", "fdtrc"):
        row(name, middle, middle, middle, **double)
    for name in ("chdtr", "chdtrc"):
        row(name, middle, middle, **double)
    row("stdtr", middle, normal(3), **double)
    row("btdtria", share, middle, share, **loose)
    row("btdtrib", middle, share, share, **loose)
    row("gdtria", share, middle, middle, **loose)
    row("gdtrib", middle, share, middle, **loose)
    row("gdtrix", middle, middle, share, **loose)
    row("chdtri", middle, share, **loose)
    row("chdtriv", share, middle, **loose)
    row("fdtri", middle, middle, share, **loose)
    row("fdtridfd", uniform(2, 4, 3), uniform(0.4, 0.6, 3), uniform(1.1, 1.4, 3), **loose)
    row("stdtrit", uniform(2, 6, 3), share, **loose)
    row("stdtridf", uniform(0.87, 0.9, 3), uniform(1.5, 1.6, 3), **{**double, "tolerance": 1e-3})
    for name in ("bdtr", "bdtrc", "nbdtr", "nbdtrc", "bdtri", "nbdtri"):
        row(name, fixed(2.0), fixed(5.0), share, check=(2,), **double)
    row("bdtrik", share, uniform(6, 9, 3), uniform(0.4, 0.6, 3), **loose)
    row("bdtrin", uniform(1.5, 3, 3), share, uniform(0.4, 0.6, 3), **loose)
    row("nbdtrik", share, uniform(3, 6, 3), uniform(0.4, 0.6, 3), **loose)
    row("nbdtrin", uniform(1.5, 3, 3), share, uniform(0.4, 0.6, 3), **loose)
    for name in ("pdtr", "pdtrc"):
        row(name, fixed(2.0), middle, check=(1,), **double)
    row("pdtri", fixed(2.0), share, check=(1,), **double)
    row("pdtrik", share, uniform(2, 5, 3), **loose)
    row("nrdtrimn", share, middle, middle, **double)
    row("nrdtrisd", uniform(0, 0.5, 3), uniform(0.6, 0.9, 3), uniform(1, 2, 3), **double)
    row("chndtr", middle, fixed(2.5), middle, check=(0, 2), **double)
    row("chndtrix", share, fixed(2.5), middle, check=(0, 2), **loose)
    row("chndtrinc", uniform(3, 5, 3), fixed(2.5), uniform(0.1, 0.4, 3), check=(0, 2), **loose)
    row("ncfdtr", fixed(3.0), fixed(5.0), middle, middle, check=(2, 3), **double)
    row("ncfdtri", fixed(3.0), fixed(5.0), middle, share, check=(2, 3), **loose)
    row("ncfdtrinc", fixed(3.0), fixed(5.0), uniform(0.55, 0.6, 3), uniform(1.3, 1.5, 3),
        check=(2, 3), **loose)  # fmt: skip
    row("nctdtr", fixed(5.0), normal(3), middle, check=(1, 2), **double)
    row("nctdtrit", fixed(5.0), normal(3), share, check=(1, 2), **loose)
    row("nctdtrinc", fixed(5.0), share, middle, check=(1, 2), **loose)


def add_bessel(
    row: Callable,
    normal: Callable,
    uniform: Callable,
    fixed: Callable,
    counts: Callable,
    C16: Any,
) -> None:
    """Bessel functions and relatives."""
    double: dict[str, Any] = {"dtypes": (np.dtype("f8"),)}
    middle = uniform(0.6, 3, 3)
    for name in ("jv", "yv", "iv", "kv", "ive", "kve", "jve", "yve"):
        row(name, uniform(0.3, 2.7, 3), middle)
    for name in ("hankel1", "hankel2", "hankel1e", "hankel2e"):
        row(name, fixed(1.5), middle, check=(1,), dtypes=(C16,))
    for name in ("yn", "kn"):
        row(name, counts(0, 1, 3), middle, check=(1,), **double)
    for name in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn", "expn"):
        row(name, counts(0, 1, 2), middle, check=(1,), **double)
    for name in ("struve", "modstruve"):
        row(name, fixed(1.5), middle, check=(1,), **double)
    row("besselpoly", middle, fixed(0.5), fixed(2.0), check=(0,), **double)


def add_transforms(row: Callable, normal: Callable, F8: Any, F4: Any, C16: Any) -> None:
    """Primitives of fft."""
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
