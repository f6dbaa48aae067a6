"""Calls of scipy.special."""

from __future__ import annotations

import numpy as np
import scipy.special

from support.cases import Cases

cases = Cases(scipy.special, "functorch_like.scipy.special")
rng = np.random.default_rng(0)

ANY = np.array([[-1.3, 0.4], [0.9, -0.2]])
POSITIVE = np.array([0.7, 1.6, 2.9])
OTHER = np.array([1.2, 0.8, 2.1])
THIRD = np.array([0.9, 2.2, 1.4])
SHARE = np.array([0.2, 0.55, 0.8])
Z = np.array([0.5 + 0.3j, -0.7 + 0.9j])
SCALAR = np.array(0.6)

# --- one operand -----------------------------------------------------------------------------

for name in ("erf", "erfc", "erfcx", "erfi", "dawsn", "ndtr", "expm1", "log_ndtr"):
    cases(name, ANY)
    cases(name, Z)
for name in (
    "j0", "j1", "i0", "i1", "i0e", "i1e", "expit", "log_expit", "exprel", "cosm1", "exp2", "exp10",
    "cbrt", "ber", "bei", "berp", "beip", "itstruve0", "itmodstruve0", "sinc", "softplus", "round",
    "sindg", "cosdg", "tandg",
):  # fmt: skip
    cases(name, ANY)
for name in ("gamma", "loggamma", "rgamma", "psi", "digamma", "exp1", "expi", "log1p", "spence"):
    cases(name, POSITIVE)
    cases(name, Z)
for name in (
    "gammaln", "entr", "y0", "y1", "k0", "k1", "k0e", "k1e", "ker", "kei", "kerp", "keip",
    "it2struve0", "cotdg", "zetac", "gammasgn",
):  # fmt: skip
    cases(name, POSITIVE)
cases("zetac", np.array([-3.3, -0.5, 0.3]))
for name in ("ndtri", "logit", "ellipk", "ellipe", "ellipkm1", "erfinv", "erfcinv"):
    cases(name, SHARE)
cases("kolmogorov", np.array([0.5, 0.9, 1.4]))
cases("kolmogi", SHARE)
cases("ndtri_exp", np.array([-3.0, -0.5]))
cases("wofz", Z)
cases("wofz", ANY)
cases("wrightomega", ANY)
cases("wrightomega", Z)
cases("factorial", POSITIVE, extend="complex")
cases("factorial", POSITIVE)
for name in ("sici", "shichi", "fresnel", "airy"):
    cases(name, POSITIVE)
    cases(name, Z)
cases("airye", POSITIVE)
for name in ("itj0y0", "iti0k0", "it2j0y0", "it2i0k0", "itairy", "kelvin"):
    cases(name, POSITIVE, tolerance=1e-4)

# --- several operands ------------------------------------------------------------------------

for name in ("xlogy", "xlog1py"):
    cases(name, POSITIVE, OTHER)
    cases(name, Z, np.array([1.2 + 0.1j, 0.4 - 0.3j]))
    cases(name, np.array([0.0, 2.0]), call=lambda f, x: f(x, 2.5))
for name in (
    "beta", "betaln", "rel_entr", "kl_div", "boxcox", "boxcox1p", "powm1", "agm", "poch",
    "pseudo_huber", "elliprc", "chdtr", "chdtrc", "owens_t", "stdtr",
):  # fmt: skip
    cases(name, POSITIVE, OTHER)
    cases(name, SCALAR, OTHER)
for name in ("gammainc", "gammaincc"):
    cases(name, POSITIVE, OTHER)
    cases(name, np.array([30.0, 0.2]), np.array([[20.0, 3.0], [45.0, 0.01]]))
cases("huber", np.array([0.5, 1.0]), np.array([[0.3, -2.0], [-1.5, 0.8]]))
for name in ("inv_boxcox", "inv_boxcox1p"):
    cases(name, SHARE, OTHER)
cases("binom", np.array([5.3, 2.2]), np.array([1.7, 0.4]))
cases("comb", np.array([5.3, 2.2]), np.array([1.7, 0.4]))
cases("comb", np.array([5.3, 2.2]), np.array([1.7, 0.4]), repetition=True)
cases("perm", np.array([5.3, 2.2]), np.array([1.7, 0.4]))
cases("polygamma", POSITIVE, call=lambda f, x: f(2, x))
cases("polygamma", np.array([0, 1, 3]), POSITIVE)
cases("zeta", np.array([2.3, 1.4, 6.0]), OTHER)
cases("zeta", np.array([2.3, -0.4, -5.7]))
cases("multigammaln", POSITIVE + 2, call=lambda f, a: f(a, 3))
cases("radian", POSITIVE, OTHER, THIRD)
cases("tklmbda", ANY, call=lambda f, x: f(x, np.array([0.3, -0.4])))
cases("tklmbda", np.array([0.3, -0.9]), np.array([0.2, -0.5]))
cases("diric", ANY, call=lambda f, x: f(x, 4))
cases("diric", np.array([0.0, 0.5]), call=lambda f, x: f(x, 5))
cases("voigt_profile", ANY, SHARE[:2], OTHER[:2])
cases("lambertw", POSITIVE)
cases("lambertw", Z, k=-1)

for name in ("betainc", "betaincc", "betaincinv", "betainccinv"):
    cases(name, POSITIVE, OTHER, SHARE)
    cases(name, np.array([[0.6], [12.0]]), np.array(3.0), SHARE)
for name in ("gammaincinv", "gammainccinv"):
    cases(name, POSITIVE, SHARE)
for name in ("btdtria", "btdtrib"):
    at = 0 if name == "btdtria" else 1
    arrays = [POSITIVE, SHARE]
    arrays.insert(at, np.array([0.3, 0.4, 0.6]))
    cases(name, *arrays, tolerance=1e-4)
for name in ("fdtr", "fdtrc", "gdtr", "gdtrc"):
    cases(name, POSITIVE, OTHER, THIRD)
cases("fdtri", POSITIVE, OTHER, SHARE)
cases("gdtrix", POSITIVE, OTHER, SHARE, tolerance=1e-4)
cases("gdtria", SHARE, OTHER, THIRD, tolerance=1e-4)
cases("gdtrib", POSITIVE, SHARE, THIRD, tolerance=1e-4)
cases("chdtri", POSITIVE, SHARE)
cases("chdtriv", SHARE, THIRD, tolerance=1e-4)
cases("fdtridfd", np.array([2.0, 3.0]), np.array([0.4, 0.6]), np.array([0.9, 1.3]), tolerance=1e-4)
cases("stdtrit", np.array([3.0, 4.5, 8.0]), SHARE, tolerance=1e-4)
cases("stdtridf", np.array([0.88, 0.91]), np.array([1.5, 1.7]), tolerance=1e-3)
for name in ("bdtr", "bdtrc"):
    cases(name, SHARE, call=lambda f, p: f(2, 5, p))
    cases(name, SHARE, call=lambda f, p: f(2.0, 5, p))
cases("bdtri", SHARE, call=lambda f, p: f(2, 5, p))
cases("bdtrik", SHARE, np.array([6.5, 7.2, 9.0]), np.array([0.4, 0.5, 0.6]), tolerance=1e-4)
cases("bdtrin", np.array([1.5, 2.2, 2.9]), SHARE, np.array([0.4, 0.5, 0.6]), tolerance=1e-4)
for name in ("nbdtr", "nbdtrc", "nbdtri"):
    cases(name, SHARE, call=lambda f, p: f(2, 5, p))
cases("nbdtrik", SHARE, np.array([3.5, 5.2, 4.0]), np.array([0.4, 0.5, 0.6]), tolerance=1e-4)
cases("nbdtrin", np.array([1.5, 2.2, 2.9]), SHARE, np.array([0.4, 0.5, 0.6]), tolerance=1e-4)
for name in ("pdtr", "pdtrc"):
    cases(name, POSITIVE, call=lambda f, m: f(2.0, m))
cases("pdtri", SHARE, call=lambda f, p: f(2, p))
cases("pdtrik", SHARE, np.array([2.5, 4.2, 3.0]), tolerance=1e-4)
cases("nrdtrimn", SHARE, POSITIVE, OTHER)
cases("nrdtrisd", np.array([0.2, 0.1]), np.array([0.7, 0.9]), np.array([1.2, 0.8]))
cases("chndtr", POSITIVE, THIRD, call=lambda f, x, nc: f(x, 2.5, nc))
cases("chndtrix", SHARE, THIRD, call=lambda f, p, nc: f(p, 2.5, nc), tolerance=1e-4)
cases("chndtrinc", POSITIVE + 2, SHARE * 0.5, call=lambda f, x, p: f(x, 2.5, p), tolerance=1e-3)
cases("ncfdtr", THIRD, POSITIVE, call=lambda f, nc, x: f(3.0, 5.0, nc, x))
cases("ncfdtri", THIRD, SHARE, call=lambda f, nc, p: f(3.0, 5.0, nc, p), tolerance=1e-4)
cases("ncfdtrinc", SHARE * 0.5, POSITIVE + 1, call=lambda f, p, x: f(3.0, 5.0, p, x),
      tolerance=1e-3)  # fmt: skip
cases("nctdtr", np.array([0.7, -0.4]), np.array([1.3, 0.6]), call=lambda f, nc, t: f(5.0, nc, t))
cases("nctdtrit", np.array([0.7, -0.4]), SHARE[:2], call=lambda f, nc, p: f(5.0, nc, p),
      tolerance=1e-4)  # fmt: skip
cases("nctdtrinc", SHARE[1:], np.array([1.3, 0.6]), call=lambda f, p, t: f(5.0, p, t),
      tolerance=1e-3)  # fmt: skip

# --- Bessel functions and relatives ----------------------------------------------------------

for name in ("jv", "yv", "iv", "kv", "ive", "kve", "jve", "yve", "jn"):
    cases(name, np.array([0.3, 1.7, 4.2]), POSITIVE)
    cases(name, np.array([0.3, 12.0]), np.array([[3.0, 8.0], [0.2, 50.0]]))
for name in ("jv", "yv", "iv", "kv", "hankel1", "hankel2", "hankel1e", "hankel2e"):
    cases(name, Z, call=lambda f, z: f(1.5, z))
for name in ("hankel1", "hankel2", "hankel1e", "hankel2e"):
    cases(name, POSITIVE, call=lambda f, x: f(1.5, x))
for name in ("yn", "kn"):
    cases(name, POSITIVE, call=lambda f, x: f(2, x))
for name in ("struve", "modstruve"):
    cases(name, POSITIVE, call=lambda f, x: f(1.5, x))
for name in ("jvp", "yvp", "ivp", "kvp", "h1vp", "h2vp"):
    cases(name, POSITIVE, call=lambda f, x: f(1.5, x))
    cases(name, POSITIVE, call=lambda f, x: f(1.5, x, n=2))
for name in ("spherical_jn", "spherical_yn", "spherical_in", "spherical_kn"):
    cases(name, POSITIVE, call=lambda f, x: f(2, x))
    cases(name, POSITIVE, call=lambda f, x: f(np.arange(3), x, derivative=True))
for name in ("riccati_jn", "riccati_yn"):
    cases(name, SCALAR, call=lambda f, x: f(3, x[()]))
cases("besselpoly", POSITIVE, call=lambda f, a: f(a, 0.5, 2.0))

# --- exponential, elliptic, hypergeometric ---------------------------------------------------

cases("expn", POSITIVE, call=lambda f, x: f(3, x))
for name in ("ellipkinc", "ellipeinc"):
    cases(name, np.array([0.4, -1.2, 4.0]), SHARE)
    cases(name, np.array([0.4, 7.0]), np.array([0.0, -2.0]))
cases("ellipj", np.array([0.4, -1.2, 4.0]), SHARE)
for name in ("elliprf", "elliprd", "elliprg"):
    cases(name, POSITIVE, OTHER, THIRD)
cases("elliprj", POSITIVE, OTHER, THIRD, np.array([0.6, 1.1, 2.0]))
cases("hyp0f1", ANY, call=lambda f, z: f(1.5, z))
cases("hyp0f1", Z, call=lambda f, z: f(1.5, z))
cases("hyp1f1", ANY, call=lambda f, z: f(1.5, 2.5, z))
cases("hyp2f1", SHARE, call=lambda f, z: f(1.5, 0.5, 2.5, z))
cases("hyp0f1", POSITIVE, np.array([0.4, -2.0, 3.0]))
cases("hyp1f1", POSITIVE, OTHER, np.array([0.4, -2.0, 30.0]))
cases("hyp2f1", POSITIVE, OTHER, THIRD, np.array([0.4, -0.6, 0.7]))
cases("hyp2f1", Z * 0.5, call=lambda f, z: f(1.5, 0.5, 2.5, z))
cases("hyperu", POSITIVE, call=lambda f, z: f(1.5, 0.5, z))
for name in ("wright_bessel", "log_wright_bessel"):
    cases(name, POSITIVE, call=lambda f, x: f(0.5, 1.5, x))

# --- polynomials and Legendre functions ------------------------------------------------------

for name in (
    "eval_legendre", "eval_chebyt", "eval_chebyu", "eval_chebyc", "eval_chebys", "eval_laguerre",
    "eval_hermite", "eval_hermitenorm", "eval_sh_legendre", "eval_sh_chebyt", "eval_sh_chebyu",
):  # fmt: skip
    cases(name, SHARE, call=lambda f, x: f(3, x))
    cases(name, SHARE, call=lambda f, x: f(np.arange(3), x))
for name in ("eval_gegenbauer", "eval_genlaguerre"):
    cases(name, SHARE, call=lambda f, x: f(3, 0.7, x))
cases("eval_jacobi", SHARE, call=lambda f, x: f(np.array([0, 1, 4]), 0.7, 1.2, x))
cases("eval_sh_jacobi", SHARE, call=lambda f, x: f(3, 2.7, 1.2, x))
cases("assoc_laguerre", SHARE, call=lambda f, x: f(x, 3, 0.5))
cases("lpmv", SHARE, call=lambda f, x: f(1, 3, x))
cases("legendre_p", SHARE, call=lambda f, x: f(3, x))
cases("legendre_p", SHARE, call=lambda f, x: f(3, x, diff_n=2))
cases("legendre_p_all", SHARE, call=lambda f, x: f(3, x, diff_n=1))
cases("assoc_legendre_p", SHARE, call=lambda f, x: f(3, -2, x))
cases("assoc_legendre_p", SHARE, call=lambda f, x: f(3, 1, x, norm=True))
cases("assoc_legendre_p_all", SHARE, call=lambda f, x: f(3, 2, x))
cases("sph_legendre_p", SHARE, call=lambda f, x: f(3, -1, x))
cases("sph_legendre_p_all", SHARE, call=lambda f, x: f(3, 2, x))
cases("sph_harm_y", SHARE, POSITIVE, call=lambda f, x, y: f(3, -1, x, y))
cases("sph_harm_y", SHARE, POSITIVE, call=lambda f, x, y: f(2, 2, x, y))
cases("sph_harm_y_all", SHARE, POSITIVE, call=lambda f, x, y: f(2, 1, x, y))

# --- solutions of differential equations -----------------------------------------------------

for name in ("pbdv", "pbvv"):
    cases(name, SHARE, call=lambda f, x: f(1.3, x))
cases("pbwa", SHARE, call=lambda f, x: f(1.3, x))
for name in ("mathieu_cem", "mathieu_sem"):
    cases(name, 50 * SHARE, call=lambda f, x: f(2, 1.5, x))
for name in ("mathieu_modcem1", "mathieu_modcem2", "mathieu_modsem1", "mathieu_modsem2"):
    cases(name, SHARE, call=lambda f, x: f(2, 1.5, x))
for name in ("pro_ang1", "obl_ang1", "obl_rad1"):
    cases(name, SHARE[1:], call=lambda f, x: f(1, 2, 1.3, x))
cases("pro_rad1", 1 + POSITIVE, call=lambda f, x: f(1, 2, 1.3, x))
for name in ("pro_ang1_cv", "obl_ang1_cv", "obl_rad1_cv", "pro_rad1_cv"):
    at = 1 + POSITIVE if name == "pro_rad1_cv" else SHARE[1:]
    kind = "pro_cv" if name.startswith("pro") else "obl_cv"
    value = getattr(scipy.special, kind)(1, 2, 1.3)
    cases(name, at, call=lambda f, x, value=value: f(1, 2, 1.3, value, x))

# --- reductions ------------------------------------------------------------------------------

W = rng.normal(size=(2, 3, 2))
for axis in (None, 1, (0, -1)):
    cases("logsumexp", W, call=lambda f, a, axis=axis: f(a, axis=axis))
    cases("softmax", W, call=lambda f, a, axis=axis: f(a, axis=axis))
    cases("log_softmax", W, call=lambda f, a, axis=axis: f(a, axis=axis))
cases("logsumexp", W, np.abs(W) + 0.1, call=lambda f, a, b: f(a, 0, b, True))
cases("logsumexp", W, W, call=lambda f, a, b: f(a, 1, b, return_sign=True))
cases("logsumexp", W + 0.3j * W[::-1], axis=1)
cases("logsumexp", W + 0.3j * W[::-1], axis=1, return_sign=True)
cases("logsumexp", SCALAR)
cases("softmax", SCALAR)

# --- what cannot be differentiated -----------------------------------------------------------

NO_FORM = (
    "no formula for the derivative is accurate; use functorch_like.finite_difference, or wrap with "
    "a rule of your own"
)
cases.refuse(
    "needs the derivative by the degrees of freedom of a noncentral distribution; solve the "
    "distribution function (chndtr, ncfdtr, nctdtr) for another of its arguments",
    "chndtridf", "ncfdtridfn", "ncfdtridfd", "nctdtridf",
)  # fmt: skip
cases.refuse(NO_FORM, "smirnov", "smirnovi", "mathieu_a", "mathieu_b", "pro_cv", "obl_cv")
cases("smirnov", SHARE, call=lambda f, d: f(5, d))
cases("smirnovi", SHARE, call=lambda f, d: f(5, d))
cases("mathieu_a", SHARE, call=lambda f, q: f(2, q))
cases("mathieu_b", SHARE, call=lambda f, q: f(2, q))
cases("pro_cv", SHARE, call=lambda f, c: f(1, 2, c))
cases("obl_cv", SHARE, call=lambda f, c: f(1, 2, c))
cases.refuse(
    "SciPy's values and slopes disagree with each other in the third digit",
    "pro_rad2", "pro_rad2_cv", "obl_rad2", "obl_rad2_cv",
)  # fmt: skip
cases("pro_rad2", 1 + POSITIVE, call=lambda f, x: f(1, 2, 1.3, x))
cases.refuse(
    "complex integrals of real arguments; use fresnel of the scaled argument",
    "modfresnelm", "modfresnelp",
)  # fmt: skip
cases("modfresnelp", SHARE)
cases.refuse("integers only: use gamma for real arguments", "factorial2", "factorialk", "stirling2")
cases.refuse("use jv and gamma: gamma(v + 1) (2 / x)**v jv(v, x)", "lmbda")
cases.refuse(
    "a recurrence in compiled code; for |x| < 1 build it from arctanh and legendre_p", "lqn", "lqmn"
)
cases.refuse(
    "a recurrence in compiled code; call pbdv or pbvv for each order", "pbdn_seq", "pbdv_seq",
    "pbvv_seq",
)  # fmt: skip
cases.refuse(NO_FORM, "ellip_harm", "ellip_harm_2", "ellip_normal")
cases("lqn", SCALAR, call=lambda f, x: f(3, x))
cases("lqmn", SCALAR, call=lambda f, x: f(1, 2, x))
cases("lmbda", SCALAR, call=lambda f, x: f(1.5, x))
cases("ellip_harm", np.array(3.0), call=lambda f, x: f(5, 8, 1, 1, x))
cases.refuse(NO_FORM, "mathieu_even_coef", "mathieu_odd_coef", "obl_cv_seq", "pro_cv_seq")

# --- not functions of arrays -----------------------------------------------------------------

cases.other(
    "zeros of a function, constants", "ai_zeros", "bei_zeros", "beip_zeros", "ber_zeros",
    "berp_zeros", "bi_zeros", "erf_zeros", "fresnel_zeros", "fresnelc_zeros", "fresnels_zeros",
    "jn_zeros", "jnjnp_zeros", "jnp_zeros", "jnyn_zeros", "kei_zeros", "keip_zeros", "kelvin_zeros",
    "ker_zeros", "kerp_zeros", "y0_zeros", "y1_zeros", "y1p_zeros", "yn_zeros", "ynp_zeros",
)  # fmt: skip
cases.other("constants by their number", "bernoulli", "euler")
cases.other(
    "a polynomial object of a degree", "legendre", "chebyt", "chebyu", "chebyc", "chebys", "jacobi",
    "laguerre", "genlaguerre", "hermite", "hermitenorm", "gegenbauer", "sh_legendre", "sh_chebyt",
    "sh_chebyu", "sh_jacobi",
)  # fmt: skip
cases.other(
    "nodes and weights of a quadrature rule",
    *(
        name
        for name in scipy.special.__all__
        if name.startswith("roots_") or name.endswith("_roots")
    ),
)
cases.other(
    "error handling", "geterr", "seterr", "errstate", "SpecialFunctionError",
    "SpecialFunctionWarning",
)  # fmt: skip
