"""What has no kernel for CuPy's arrays, and why; ``test_gpu.py`` holds it to be exact."""

from __future__ import annotations

__all__ = ["LACKING", "NO_DERIVATIVE", "PARTLY"]

BY_REASON = {
    "LAPACK or SciPy has the algorithm, CuPy does not": """
        matrix_logarithm matrix_logarithm_derivative matrix_power matrix_power_derivative
        matrix_root matrix_sign sylvester stein continuous_riccati discrete_riccati
        hermitian_eigen schur commutator_solve hessenberg eig_both eig_pair lu ldl
        column_pivots balance banded_solve distinct order_of_pivots toeplitz_solve
        polar_factor
    """,
    "quadratures written for the CPU only": """
        gamma_slope von_mises_slope von_mises_mean
    """,
    "orders in arrays: on a device they are Python numbers from 0 to 16": """
        jv yv iv kv ive kve kn spherical_jn spherical_yn spherical_in spherical_kn
    """,
    "sparse matrices: written for the CPU only": """
        sparse_product sparse_sampled sparse_solve sparse_eigenpairs
    """,
    "methods of scipy.stats distributions": """
        distribution_function quantile_function discrete_quantile
    """,
    "a function of SciPy or NumPy that CuPy does not have": """
        spacing erfi dawsn ber bei berp beip itstruve0 itmodstruve0 fresnel_s fresnel_c
        wrightomega airy_ai airy_aip airy_bi airy_bip wofz ndtri_exp kolmogorov spence
        it2struve0 airye_ai airye_aip airye_bi airye_bip ker kei kerp keip itj0y0_j itj0y0_y
        iti0k0_i iti0k0_k it2j0y0_j it2j0y0_y it2i0k0_i it2i0k0_k itairy_ai itairy_bi
        itairy_ai_left itairy_bi_left ellipe kolmogi powm1 agm elliprc owens_t tklmbda
        betaincc betainccinv elliprf elliprd elliprg elliprj stdtr btdtria btdtrib gdtria
        gdtrib gdtrix chdtriv fdtridfd stdtrit stdtridf bdtrik bdtrin nbdtrik nbdtrin pdtrik
        nrdtrimn nrdtrisd chndtr chndtrix chndtrinc ncfdtr ncfdtri ncfdtrinc nctdtr nctdtrit
        nctdtrinc jve yve hankel1 hankel2 hankel1e hankel2e struve modstruve besselpoly
        hyp0f1 hyp1f1 hyp2f1 hyperu log_wright_bessel eval_legendre eval_chebyt eval_chebyu
        eval_chebyc eval_chebys eval_laguerre eval_hermite eval_hermitenorm eval_sh_legendre
        eval_sh_chebyt eval_sh_chebyu eval_gegenbauer eval_genlaguerre eval_jacobi
        eval_sh_jacobi pbdv_value pbdv_slope pbvv_value pbvv_slope pbwa_value pbwa_slope
        mathieu_a mathieu_b mathieu_cem_value mathieu_cem_slope mathieu_sem_value
        mathieu_sem_slope mathieu_modcem1_value mathieu_modcem1_slope mathieu_modcem2_value
        mathieu_modcem2_slope mathieu_modsem1_value mathieu_modsem1_slope
        mathieu_modsem2_value mathieu_modsem2_slope pro_ang1_value pro_ang1_cv_value
        pro_ang1_slope pro_ang1_cv_slope obl_ang1_value obl_ang1_cv_value obl_ang1_slope
        obl_ang1_cv_slope pro_rad1_value pro_rad1_cv_value pro_rad1_slope pro_rad1_cv_slope
        obl_rad1_value obl_rad1_cv_value obl_rad1_slope obl_rad1_cv_slope pro_cv obl_cv
    """,
}
# Every row of these primitives is refused.
LACKING = {name: reason for reason, names in BY_REASON.items() for name in names.split()}
# These have values, but their slope is a function that CuPy lacks.
NO_DERIVATIVE = {
    "exprel": "its slope is a hypergeometric function",
    "ellipk": "its slope is a hypergeometric function",
    "ellipkm1": "its slope is a hypergeometric function",
    "boxcox": "its slope is a hypergeometric function",
    "boxcox1p": "its slope is a hypergeometric function",
    "inv_boxcox": "its slope is a hypergeometric function",
    "inv_boxcox1p": "its slope is a hypergeometric function",
    "ellipkinc": "its slope is a hypergeometric function",
    "ellipeinc": "its slope is a hypergeometric function",
    "ellipj_sn": "its slope is a hypergeometric function",
    "ellipj_cn": "its slope is a hypergeometric function",
    "ellipj_dn": "its slope is a hypergeometric function",
    "ellipj_ph": "its slope is a hypergeometric function",
    "yn": "an order in an array",
}
# Some rows of these are refused.
PARTLY = {"trigonometric_transform": "CuPy has the types 2 and 3"}
