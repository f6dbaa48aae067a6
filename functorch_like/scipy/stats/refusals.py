"""Names of scipy.stats that take no traced arrays, each with the reason and what to do instead."""

from __future__ import annotations

from typing import Any

from ...errors import user_line
from .arguments import has_tracer
from .sampling import refused

__all__ = ["DISTRIBUTIONS", "FUNCTIONS", "RefusedDistribution", "functions"]

_RANDOM = "it draws random numbers; resample with functorch_like.random and differentiate that."
_RANKS = "it depends on the order of the data only: its derivative is zero where it exists."
_COUNTS = "it counts data or table entries: its derivative is zero where it exists."
_TABLES = "its p-value is interpolated from tables or summed over permutations; differentiate the "
_TABLES += "statistic you need, written with NumPy."
_OPTIMISER = "it runs an optimiser; minimise the criterion with its gradient instead."
_PLOT = "it prepares a plot; differentiate the transform or the quantiles you need."
_SORTS = "its result has a shape that depends on the values; use a mask and np.where."
_OBJECTS = "it works on distributions or callbacks; use the density and the sums you need."

FUNCTIONS: dict[str, str] = {}
for _reason, _names in (
    (
        _RANDOM,
        "bootstrap permutation_test monte_carlo_test goodness_of_fit power multiscale_graphcorr "
        "sobol_indices dunnett random_correlation random_table ortho_group special_ortho_group "
        "unitary_group",
    ),
    (
        _RANKS,
        "spearmanr spearmanrho kendalltau weightedtau somersd chatterjeexi mannwhitneyu ranksums "
        "wilcoxon kruskal friedmanchisquare brunnermunzel ansari mood fligner page_trend_test "
        "ks_2samp cramervonmises_2samp bws_test anderson_ksamp tiecorrect quantile_test logrank",
    ),
    (
        _COUNTS,
        "percentileofscore mode cumfreq relfreq ecdf binned_statistic binned_statistic_2d "
        "binned_statistic_dd binomtest fisher_exact barnard_exact boschloo_exact median_test "
        "poisson_means_test contingency false_discovery_control",
    ),
    (_TABLES, "anderson shapiro tukey_hsd epps_singleton_2samp alexandergovern obrientransform"),
    (
        _OPTIMISER,
        "boxcox_normmax yeojohnson_normmax ppcc_max fit expectile wasserstein_distance_nd",
    ),
    (_PLOT, "boxcox_normplot yeojohnson_normplot ppcc_plot probplot"),
    (_SORTS, "sigmaclip trim1 trimboth siegelslopes directional_stats"),
    (
        _OBJECTS,
        "ks_1samp kstest cramervonmises bayes_mvs mvsdist make_distribution order_statistic",
    ),
):
    FUNCTIONS.update(dict.fromkeys(_names.split(), _reason))
del FUNCTIONS["contingency"]

_SERIES = "its density is a series or an integral without a closed form; pass numbers, or "
_SERIES += "integrate the density you need over your own nodes."
DISTRIBUTIONS = dict.fromkeys(
    [
        "irwinhall",
        "ksone",
        "kstwo",
        "kstwobign",
        "landau",
        "levy_stable",
        "ncf",
        "nct",
        "nchypergeom_fisher",
        "nchypergeom_wallenius",
        "poisson_binom",
        "studentized_range",
    ],
    _SERIES,
)


class RefusedDistribution:
    """A distribution of SciPy whose methods refuse traced arrays."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason

    def __call__(self, *args: Any, **kwds: Any) -> Any:
        """SciPy's frozen distribution."""
        return self.__getattr__("freeze")(*args, **kwds)

    def __getattr__(self, method: str) -> Any:
        import scipy.stats

        public = getattr(getattr(scipy.stats, self.name), method)

        def call(*args: Any, **kwds: Any) -> Any:
            if has_tracer(args, kwds):
                raise TypeError(
                    f"{self.name}.{method}: expected plain arrays; got traced ones, at "
                    f"{user_line()}; {self.reason}"
                )
            return public(*args, **kwds)

        return call if callable(public) else public


def functions() -> dict[str, Any]:
    """The refusing functions and distributions by name."""
    made: dict[str, Any] = {name: refused(name, reason) for name, reason in FUNCTIONS.items()}
    made.update({name: RefusedDistribution(name, r) for name, r in DISTRIBUTIONS.items()})
    return made
