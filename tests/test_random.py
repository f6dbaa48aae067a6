"""Random bits and keys: published answers, JAX's numbers, transforms, errors."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats

import functorch_like as ft
from functorch_like import random as r
from functorch_like.kernels.cpu import threefry

KEY = r.key(42)
CHANCES = np.array([0.1, 0.2, 0.3, 0.4])

# threefry2x32, 20 rounds: key, counter, words, of Random123's file of known answers (kat_vectors).
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "words"), KNOWN)
@pytest.mark.parametrize("copies", [1, 50])  # Python's integers, NumPy's
def test_block_has_the_published_answers(key, counter, words, copies) -> None:
    operands = [np.full(copies, x, np.uint32) for x in (*key, *counter)]
    for got, want in zip(threefry.block(*operands), words, strict=True):
        np.testing.assert_array_equal(got, np.full(copies, want, np.uint32))


def test_position_alone_decides() -> None:
    """Cut at the pieces that are worked in cache, by batch, and one by one."""
    keys = r.split(KEY, 5)
    many = threefry.CHUNK + 3
    whole = threefry.random_bits(keys, (many,), 64)
    for i in range(5):
        np.testing.assert_array_equal(whole[i], threefry.random_bits(keys[i], (many,), 64))
    np.testing.assert_array_equal(
        whole[:, :4], threefry.random_bits(keys, (2, 2), 64).reshape(5, 4)
    )
    uniform = threefry.random_uniform(keys, (many,), "f4")
    at = np.array([0, 1, 77, many - 1, 2], np.uint32)
    np.testing.assert_array_equal(threefry.uniform_at(keys, at, "f4"), uniform[np.arange(5), at])


# jax 0.10.2, jax_enable_x64, jax.random.f(jax.random.PRNGKey(42), ..., shape (3,)).
EXACT: dict[str, tuple[Callable, list]] = {
    "key": (lambda: r.key(-5), [4294967295, 4294967291]),
    "split": (lambda: r.split(KEY), [[1832780943, 270669613], [64467757, 2916123636]]),
    "fold_in": (lambda: r.fold_in(KEY, 7), [2547012911, 1371500959]),
    "bits8": (lambda: r.bits(KEY, 3, "uint8"), [162, 217, 249]),
    "bits64": (
        lambda: r.bits(KEY, (3,)),
        [7871734211187709741, 276886910877598708, 10591095138341673235],
    ),
    "uniform": (
        lambda: r.uniform(KEY, (3,)),
        [0.4267275666499091, 0.015010069515314584, 0.5741444178995352],
    ),
    "uniform32": (
        lambda: r.uniform(KEY, (3,), "f4"),
        [np.float32(x) for x in (0.48870957, 0.6797972, 0.6162715)],
    ),
    "randint": (lambda: r.randint(KEY, (3,), -5, 1000), [580, 563, 433]),
    "bernoulli": (lambda: r.bernoulli(KEY, 0.3, (5,)), [False, True, False, False, False]),
    "rademacher": (lambda: r.rademacher(KEY, (5,)), [1, 1, -1, -1, -1]),
    "geometric": (lambda: r.geometric(KEY, 0.2, (3,)), [4, 19, 3]),
    "poisson-small": (lambda: r.poisson(KEY, 3.0), 6),
    "poisson-large": (lambda: r.poisson(KEY, 300.0), 312),
    "binomial-small": (lambda: r.binomial(KEY, 10.0, 0.3), 2.0),
    "binomial-large": (lambda: r.binomial(KEY, 1000.0, 0.7), 689.0),
    "multinomial": (lambda: r.multinomial(KEY, 20.0, np.array([0.2, 0.3, 0.5])), [5.0, 4.0, 11.0]),
    "permutation": (lambda: r.permutation(KEY, 6), [4, 2, 5, 3, 0, 1]),
    "choice": (lambda: r.choice(KEY, 10, (3,)), [5, 8, 3]),
    "choice-without": (lambda: r.choice(KEY, 10, (3,), replace=False), [7, 4, 2]),
    "choice-p": (lambda: r.choice(KEY, 4, (3,), p=CHANCES), [2, 3, 2]),
    "choice-p-without": (lambda: r.choice(KEY, 4, (3,), False, CHANCES), [3, 2, 0]),
    "categorical": (lambda: r.categorical(KEY, np.log(CHANCES), shape=(5,)), [3, 3, 2, 1, 3]),
}
S = (3,)
CLOSE: dict[str, tuple[Callable, list]] = {
    "normal": (
        lambda: r.normal(KEY, S),
        [-0.18471174528191162, -2.169824560397754, 0.18693555179382582],
    ),
    "normal32": (lambda: r.normal(KEY, S, "f4"), [-0.028304616, 0.46713185, 0.29570296]),
    "complex": (
        lambda: r.normal(KEY, (2,), complex),
        [-0.5093295292642132 + 0.45954304860759587j, -0.18428781404443714 + 0.08377702715980621j],
    ),
    "exponential": (
        lambda: r.exponential(KEY, S),
        [0.5563942243855916, 0.015123860720489336, 0.8536549993431988],
    ),
    "gumbel": (
        lambda: r.gumbel(KEY, S),
        [0.16062720630382138, -1.4348544993307841, 0.5890136500161952],
    ),
    "laplace": (
        lambda: r.laplace(KEY, S),
        [0.15846230602649014, 3.5058868215207473, -0.16050781878325354],
    ),
    "logistic": (
        lambda: r.logistic(KEY, S),
        [-0.29521526220084393, -4.183910141360207, 0.29878068416298553],
    ),
    "cauchy": (
        lambda: r.cauchy(KEY, S),
        [-0.23434604341667786, -21.19070234669309, 0.23723777098183235],
    ),
    "maxwell": (
        lambda: r.maxwell(KEY, S),
        [2.1856811186160847, 0.866467331447922, 0.8407561365101462],
    ),
    "truncated_normal": (
        lambda: r.truncated_normal(KEY, -1.0, 2.0, S),
        [0.01998452592513169, -0.9504476695340623, 0.32827144083703297],
    ),
    "pareto": (
        lambda: r.pareto(KEY, 2.5, S),
        [1.249267887529251, 1.0060678797362979, 1.407003125801746],
    ),
    "lognormal": (
        lambda: r.lognormal(KEY, 0.7, S),
        [0.8787118755200707, 0.21895759626402683, 1.1398023683209773],
    ),
    "triangular": (
        lambda: r.triangular(KEY, 0.0, 1.0, 3.0, S),
        [1.1453748087280424, 0.21220322463606378, 1.4015215069939824],
    ),
    "gamma": (
        lambda: r.gamma(KEY, 0.3, S),
        [0.04064462722988022, 0.0007189152153055567, 0.0023602497432139756],
    ),
    "loggamma": (
        lambda: r.loggamma(KEY, 3.0, S),
        [1.2375655008859971, 0.8556454250147614, 1.8746779480408196],
    ),
    "chisquare": (
        lambda: r.chisquare(KEY, 3.0, S),
        [3.4123750492211147, 1.9269875304255157, 8.271386696089039],
    ),
    "t": (lambda: r.t(KEY, 3.0, S), [-0.6930095592523876, -0.5820081154139338, 2.1891397152153647]),
    "f": (
        lambda: r.f(KEY, 3.0, 5.0, S),
        [1.158641615967818, 0.4334901445978058, 6.869564969322846],
    ),
    "beta": (
        lambda: r.beta(KEY, 2.0, 0.3, S),
        [0.9158311443266186, 0.9820006526703698, 0.13606788788174132],
    ),
    "weibull_min": (
        lambda: r.weibull_min(KEY, 2.0, 1.5, S),
        [1.3529603556444487, 0.12231276251644208, 1.7997751636072923],
    ),
    "rayleigh": (
        lambda: r.rayleigh(KEY, 1.5, S),
        [1.9576114756608267, 4.3469130436855, 1.5801691106685258],
    ),
    "wald": (
        lambda: r.wald(KEY, 2.0, S),
        [5.324020671222717, 1.3862836856025678, 0.2658722707168426],
    ),
    "double_sided_maxwell": (
        lambda: r.double_sided_maxwell(KEY, 0.5, 2.0, S),
        [-3.1956351413757687, -4.1877952518604795, 4.2138077011187836],
    ),
    "generalized_normal": (
        lambda: r.generalized_normal(KEY, 3.0, S),
        [-0.3238928432167583, -0.10285721735653405, 0.24807793419151472],
    ),
    "ball": (
        lambda: r.ball(KEY, 3),
        [-0.04422263011031423, -0.26116012882271694, -0.49768540810316086],
    ),
    "dirichlet": (
        lambda: r.dirichlet(KEY, np.array([0.3, 1, 4.0])),
        [0.00476020689318843, 0.060454740971884295, 0.9347850521349272],
    ),
    "multivariate_normal": (
        lambda: r.multivariate_normal(KEY, np.array([1.0, 2]), np.array([[2, 0.5], [0.5, 1]])),
        [0.738778144692716, -0.09499048743076521],
    ),
    "orthogonal": (
        lambda: r.orthogonal(KEY, 2),
        [[-0.7028631207310976, -0.7113251250420883], [0.7113251250420883, -0.7028631207310976]],
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_numbers_are_those_of_jax(name: str) -> None:
    draw, want = EXACT[name]
    np.testing.assert_array_equal(draw(), want)


@pytest.mark.parametrize("name", CLOSE)
def test_numbers_are_those_of_jax_to_rounding(name: str) -> None:
    draw, want = CLOSE[name]
    np.testing.assert_allclose(draw(), want, rtol=2e-6 if "32" in name else 2e-12)


# --- the quality of the bits ---------------------------------------------------------


def test_bits_are_equidistributed() -> None:
    x = r.bits(KEY, (1 << 16,), "uint32")
    for shift in range(32):  # each bit, to five deviations
        ones = int(((x >> np.uint32(shift)) & 1).sum())
        assert abs(ones - (1 << 15)) < 5 * 128
    for part in (x >> 24, x & 255, (x >> 9) & 255):
        counts = np.bincount(part.astype(np.int64), minlength=256)
        assert 1e-4 < scipy.stats.chisquare(counts).pvalue < 1 - 1e-4


def test_pairs_of_successive_bits_are_independent() -> None:
    """The serial test (Knuth, TAOCP 2, 3.3.2 B) on pairs, along a stream and across keys."""
    along = r.bits(KEY, (40_000,), "uint8").reshape(-1, 2)
    across = ft.vmap(lambda k: r.bits(k, (), "uint8"))(r.split(KEY, 40_000)).reshape(-1, 2)
    folded = ft.vmap(lambda i: r.bits(r.fold_in(KEY, i), (), "uint8"))(np.arange(40_000))
    for pairs in (along, across, folded.reshape(-1, 2)):
        cells = (pairs[:, 0] >> 4).astype(int) * 16 + (pairs[:, 1] >> 4)
        assert 1e-4 < scipy.stats.chisquare(np.bincount(cells, minlength=256)).pvalue < 1 - 1e-4


def test_birthday_spacings() -> None:
    """Marsaglia's test (TAOCP 2, 3.3.2 J): equal spacings of 512 birthdays in 2^24 days.

    Their number is Poisson of mean 512^3 / 2^26 = 2.
    """
    rounds = 400
    days = np.sort(r.bits(KEY, (rounds, 512), "uint32") >> 8, axis=1).astype(np.int64)
    spacings = np.sort(np.diff(days, axis=1, prepend=0), axis=1)
    equal = (np.diff(spacings, axis=1) == 0).sum(axis=1)
    counts = np.bincount(np.minimum(equal, 6), minlength=7)
    chances = scipy.stats.poisson(2.0).pmf(np.arange(7))
    chances[6] = 1 - chances[:6].sum()
    assert 1e-4 < scipy.stats.chisquare(counts, rounds * chances).pvalue < 1 - 1e-4


def test_split_streams_are_independent() -> None:
    keys = np.concatenate([r.split(KEY, 40), r.split(r.fold_in(KEY, 1), 40), KEY[None]])
    x = ft.vmap(lambda k: r.normal(k, (4000,)))(keys)
    correlations = np.corrcoef(x)[np.triu_indices(len(keys), 1)] * np.sqrt(4000)
    assert scipy.stats.kstest(correlations, "norm").pvalue > 1e-4
    assert np.abs(correlations).max() < 5.5
    assert len(np.unique(keys, axis=0)) == len(keys)


# --- transforms ----------------------------------------------------------------------

# Every distribution, with parameters that may be traced.
DRAWS: dict[str, Callable] = {
    "uniform": lambda k, a: r.uniform(k, (3,), minval=-a, maxval=2 * a),
    "normal": lambda k, a: a * r.normal(k, (3,)),
    "truncated_normal": lambda k, a: r.truncated_normal(k, -a, a, (3,)),
    "exponential": lambda k, a: a * r.exponential(k, (3,)),
    "gumbel": lambda k, a: a * r.gumbel(k, (3,)),
    "gumbel-high": lambda k, a: a * r.gumbel(k, (3,), mode="high"),
    "laplace": lambda k, a: a * r.laplace(k, (3,)),
    "logistic": lambda k, a: a * r.logistic(k, (3,)),
    "cauchy": lambda k, a: a * r.cauchy(k, (3,)),
    "pareto": lambda k, a: r.pareto(k, a, (3,)),
    "weibull_min": lambda k, a: r.weibull_min(k, a, a + 1, (3,)),
    "rayleigh": lambda k, a: r.rayleigh(k, a, (3,)),
    "maxwell": lambda k, a: a * r.maxwell(k, (3,)),
    "double_sided_maxwell": lambda k, a: r.double_sided_maxwell(k, a, a, (3,)),
    "lognormal": lambda k, a: r.lognormal(k, a, (3,)),
    "triangular": lambda k, a: r.triangular(k, -a, a, 2 * a, (3,)),
    "wald": lambda k, a: r.wald(k, a, (3,)),
    "gamma": lambda k, a: r.gamma(k, a, (3,)),
    "loggamma": lambda k, a: r.loggamma(k, a, (3,)),
    "chisquare": lambda k, a: r.chisquare(k, a, (3,)),
    "t": lambda k, a: r.t(k, a + 2, (3,)),
    "f": lambda k, a: r.f(k, a, a + 2, (3,)),
    "beta": lambda k, a: r.beta(k, a, 2 * a, (3,)),
    "dirichlet": lambda k, a: r.dirichlet(k, a * np.array([1.0, 2.0, 3.0])),
    "generalized_normal": lambda k, a: r.generalized_normal(k, a + 1, (3,)),
    "von_mises": lambda k, a: r.von_mises(k, a, 1.0, (3,)),
    "ball": lambda k, a: r.ball(k, 3, a + 1),
    "multivariate_normal": lambda k, a: r.multivariate_normal(k, np.zeros(3), a * np.eye(3)),
    "orthogonal": lambda k, a: a * r.orthogonal(k, 3),
    "permutation": lambda k, a: r.permutation(k, a * np.arange(4.0)),
    "choice": lambda k, a: r.choice(k, a * np.arange(4.0), (3,), p=CHANCES),
    "choice-without": lambda k, a: r.choice(k, a * np.arange(4.0), (3,), replace=False),
    "bits": lambda k, a: r.bits(k, (3,)),
    "randint": lambda k, a: r.randint(k, (3,), -7, 100),
    "bernoulli": lambda k, a: r.bernoulli(k, a / 8, (3,)),
    "rademacher": lambda k, a: r.rademacher(k, (3,)),
    "geometric": lambda k, a: r.geometric(k, a / 8, (3,)),
    "poisson": lambda k, a: r.poisson(k, a * np.array([1.0, 10.0, 100.0])),
    "binomial": lambda k, a: r.binomial(k, np.array([10, 100, 1000]), a / 8),
    "negative_binomial": lambda k, a: r.negative_binomial(k, 3, a / 8, (3,)),
    "hypergeometric": lambda k, a: r.hypergeometric(k, 10, 20, np.array([5, 10, 25])),
    "multinomial": lambda k, a: r.multinomial(k, 10, np.array([0.2, 0.8])),
    "categorical": lambda k, a: r.categorical(k, a * np.arange(5.0), shape=(3,)),
    "split": lambda k, a: r.split(k, 3),
    "fold_in": lambda k, a: r.fold_in(k, 5),
}
DISCRETE = [name for name, draw in DRAWS.items() if draw(KEY, 1.5).dtype.kind != "f"]
DISCRETE += ["binomial", "multinomial"]


@pytest.mark.parametrize("name", DRAWS)
def test_batch_equals_loop_and_compiled_equals_eager(name: str) -> None:
    draw = DRAWS[name]
    keys, scales = r.split(KEY, 4), np.array([0.7, 1.3, 2.2, 5.0])
    want = np.stack([draw(k, a) for k, a in zip(keys, scales, strict=True)])
    got = ft.vmap(draw)(keys, scales)
    # Products of matrices and einsum add in another order.
    loose = {"rtol": 1e-12, "atol": 1e-14} if name in ("multivariate_normal", "orthogonal") else {}
    compare = np.testing.assert_allclose if loose else np.testing.assert_array_equal
    assert got.dtype == want.dtype
    compare(got, want, **loose)
    compare(ft.vmap(draw, in_axes=(0, None))(keys, 1.3)[1], want[1], **loose)
    compiled = ft.jit(draw)(keys[1], 1.3)
    assert compiled.dtype == want.dtype
    if want.dtype.kind == "f":
        np.testing.assert_allclose(compiled, want[1], rtol=1e-12, atol=1e-14)
    else:
        np.testing.assert_array_equal(compiled, want[1])


@pytest.mark.parametrize("name", sorted(set(DISCRETE)))
def test_counts_carry_no_derivative(name: str) -> None:
    draw = DRAWS[name]
    value, tangent = ft.jvp(lambda a: draw(KEY, a) * 1.0, (1.5,), (1.0,))
    assert not np.any(tangent) and value.shape == tangent.shape
    assert ft.grad(lambda a: np.sum(draw(KEY, a) * 1.0))(1.5) == 0


def test_same_bits_compiled_and_in_loops() -> None:
    for draw in (
        lambda k: r.bits(k, (1000,)),
        lambda k: r.uniform(k, (1000,)),
        lambda k: r.uniform(k, (50,), "f4"),
        lambda k: r.gamma(k, 0.7, (100,)),
        lambda k: r.randint(k, (100,), 0, 10),
    ):
        np.testing.assert_array_equal(ft.jit(draw)(KEY), draw(KEY))

    for width in ("uint8", "uint16", "uint32", "uint64"):
        draw = lambda k, width=width: r.bits(k, (2, 11), width)
        np.testing.assert_array_equal(ft.jit(draw)(KEY), draw(KEY))
    keys = r.split(KEY, 12)
    for draw in (lambda k: r.uniform(k, (3, 11)), lambda k: r.split(k, (9, 2)), r.split):
        want = np.stack([draw(k) for k in keys])
        np.testing.assert_array_equal(ft.jit(ft.vmap(draw))(keys), want)
    for shape in ((), (0,), (3, 0)):
        np.testing.assert_array_equal(
            ft.jit(lambda k, s=shape: r.uniform(k, s))(KEY), r.uniform(KEY, shape)
        )
    np.testing.assert_array_equal(
        ft.jit(lambda x: x * r.uniform(KEY, (9,)))(2.0), 2 * r.uniform(KEY, (9,))
    )

    def step(key, _):
        key, now = r.split(key)
        return key, r.uniform(now, (5,))

    last, rows = ft.jit(lambda key: ft.scan(step, key, None, length=7))(KEY)
    key = KEY
    for i in range(7):
        key, now = r.split(key)
        np.testing.assert_array_equal(rows[i], r.uniform(now, (5,)))
    np.testing.assert_array_equal(last, key)
    folded = ft.jit(
        lambda n: ft.fori_loop(0, n, lambda i, x: x + r.uniform(r.fold_in(KEY, i)), 0.0)
    )
    want = 0.0
    for i in range(6):
        want = want + r.uniform(r.fold_in(KEY, i))
    np.testing.assert_allclose(folded(6), want, rtol=1e-15)


def test_seeds_and_folds_may_be_traced() -> None:
    seeds = np.array([0, -3, 2**40 + 5])
    want = np.stack([r.key(int(s)) for s in seeds])
    np.testing.assert_array_equal(ft.vmap(r.key)(seeds), want)
    np.testing.assert_array_equal(ft.jit(r.key)(seeds[2]), want[2])
    np.testing.assert_array_equal(r.key(np.uint8(200)), [0, 200])
    want = np.stack([r.fold_in(KEY, i) for i in range(3)])
    np.testing.assert_array_equal(ft.vmap(lambda i: r.fold_in(KEY, i))(np.arange(3)), want)
    assert r.key_data(KEY) is KEY and r.wrap_key_data(KEY) is KEY


@hypothesis.given(
    st.lists(st.integers(0, 5), max_size=3).map(tuple), st.sampled_from(["f2", "f4", "f8"]),
    st.integers(-(2**63), 2**63 - 1),
)  # fmt: skip
def test_shapes_dtypes_and_seeds(shape: tuple, dtype: str, seed: int) -> None:
    key = r.key(seed)
    for draw in (r.uniform, r.normal):
        x = draw(key, shape, dtype)
        assert (np.shape(x), x.dtype) == (shape, np.dtype(dtype))
        flat = draw(key, (int(np.prod(shape)),), dtype)
        np.testing.assert_array_equal(np.ravel(x), flat)
    assert np.all((r.uniform(key, shape, dtype) >= 0) & (r.uniform(key, shape, dtype) < 1))
    wide = np.ones((*shape, 2)).T[..., ::-1]
    assert r.gamma(np.repeat(key, 2)[::2], wide).shape == wide.shape  # strides of any kind


@hypothesis.given(
    st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]), st.data()
)  # fmt: skip
def test_randint_keeps_its_bounds(dtype: str, data: st.DataObject) -> None:
    limits = np.iinfo(dtype)
    low = data.draw(st.integers(int(limits.min), int(limits.max)))
    high = data.draw(st.integers(low + 1, int(limits.max) + 1))
    x = r.randint(KEY, (20,), low, high, dtype)
    assert x.dtype == np.dtype(dtype)
    assert all(low <= int(v) < high for v in x)
    if high <= np.iinfo(np.int64).max and low >= np.iinfo(np.int64).min:
        bounds = np.array([low]), np.array([high])
        np.testing.assert_array_equal(r.randint(KEY, (20,), *bounds, dtype), x)
    assert np.all(r.randint(KEY, (3,), low, low, dtype) == low)


# --- errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: r.normal(np.random.default_rng(0)), TypeError, "have a state.*test_random.py"),
        (lambda: r.normal(0), TypeError, r"expected a key.*got int"),
        (lambda: r.normal(1.5), TypeError, "expected a key.*got float"),
        (lambda: r.normal(np.zeros(2)), TypeError, "got shape .2,. and dtype float64"),
        (lambda: r.normal(np.zeros(3, np.uint32)), TypeError, "got shape .3,. and dtype uint32"),
        (lambda: r.normal(r.split(KEY, 3)), TypeError, r"functorch_like.vmap"),
        (lambda: r.split(KEY, 2.5), TypeError, "expected a shape"),
        (lambda: r.uniform(KEY, (2, -1)), ValueError, "without negative sizes"),
        (lambda: r.key(1.5), TypeError, "expected an integer seed"),
        (lambda: r.key(np.arange(3)), TypeError, "expected an integer seed"),
        (lambda: r.fold_in(KEY, 0.5), TypeError, "expected an integer scalar"),
        (lambda: r.bits(KEY, (), "int32"), TypeError, "unsigned integer dtype; got int32"),
        (lambda: r.uniform(KEY, (), int), TypeError, "float32 or float64 or float16; got int64"),
        (lambda: r.gamma(KEY, 1.0, (), "f2"), TypeError, "expected dtype float32 or float64; got"),
        (lambda: r.poisson(KEY, 1.0, (), float), TypeError, "integer dtype; got float64"),
        (lambda: r.gamma(KEY, np.ones(3), (2,)), ValueError, r"a of shape \(3,\)"),
        (lambda: r.beta(KEY, np.ones(3), np.ones(2)), ValueError, "broadcast to one shape"),
        (lambda: r.uniform(KEY, (2,), minval=np.ones(3)), ValueError, "minval of shape"),
        (lambda: r.randint(KEY, (2,), 0.5, 3), TypeError, "expected an integer minval"),
        (lambda: r.bernoulli(KEY, 0.5, (), "best"), ValueError, "'low' or 'high'; got 'best'"),
        (lambda: r.gumbel(KEY, (), None, "best"), ValueError, "'low' or 'high'; got 'best'"),
        (lambda: r.choice(KEY, 3, (4,), replace=False), ValueError, "at most 3 draws"),
        (lambda: r.choice(KEY, 3, (4,), p=np.ones(2)), ValueError, r"p of shape \(3,\)"),
        (lambda: r.choice(KEY, 0, (4,)), ValueError, "expected elements to draw from"),
        (lambda: r.choice(KEY, 2.5), TypeError, "expected a Python integer or an array"),
        (lambda: r.permutation(KEY, np.ones(3), 2), ValueError, "array of 1 axes; got 2"),
        (lambda: r.categorical(KEY, np.ones((2, 3)), shape=(3,)), ValueError, "ends with .2,."),
        (
            lambda: r.categorical(KEY, np.ones(3), shape=(4,), replace=False),
            ValueError,
            "at most 3",
        ),
        (lambda: r.multivariate_normal(KEY, np.ones(2), np.eye(3)), ValueError, r"\(3, 3\)"),
        (lambda: r.multivariate_normal(KEY, np.ones(2), np.eye(2), method="lu"), ValueError, "lu"),
        (lambda: r.dirichlet(KEY, 2.0), ValueError, "got a scalar"),
        (lambda: r.multinomial(KEY, 2, 0.5), ValueError, "got a scalar"),
        (lambda: r.wrap_key_data(np.ones(2)), TypeError, "uint32 with a last axis of 2"),
    ],
)
def test_errors_say_what_to_do(call: Callable, kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_parameters_out_of_their_domain() -> None:
    assert np.isnan(r.gamma(KEY, np.array([-1.0, 0.0, np.nan]))).all()
    assert np.isnan(r.loggamma(KEY, -1.0)) and np.isnan(r.von_mises(KEY, -1.0))
    assert np.isnan(r.wald(KEY, -1.0)) and np.isnan(r.binomial(KEY, 10, 1.5))
    assert r.poisson(KEY, -1.0) == -1 and r.poisson(KEY, np.nan) == -1
    assert r.binomial(KEY, -2, 0.5, dtype=int) == -1
    assert r.hypergeometric(KEY, 3, 4, 8) == -1
    np.testing.assert_array_equal(r.poisson(KEY, np.zeros(3)), 0)
    np.testing.assert_array_equal(r.binomial(KEY, 7, np.array([0.0, 1.0])), [0, 7])
    assert r.geometric(KEY, 1.0) == 1 and r.hypergeometric(KEY, 3, 4, 0) == 0
    assert r.negative_binomial(KEY, 4, 1.0) == 0
