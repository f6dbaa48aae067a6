"""The array API standard (2024.12) on traced arrays, and libraries that are written in it."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import scipy

import functorch_like as ft
import functorch_like.numpy as fnp
from functorch_like.errors import ConcreteValueError

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
P = rng.uniform(0.5, 2.0, size=(3, 4))
U = rng.uniform(-0.9, 0.9, size=(3, 4))
Z = X + 1j * Y
K = rng.integers(0, 4, size=(3, 4))
B = X > 0
S = X[:, :3] @ X[:, :3].T + 3 * np.eye(3)


def words(text: str) -> list[str]:
    return text.split()


# Each function of the standard: arrays, and a call where it is more than f(*arrays).
CALLS: dict[str, list] = {
    # elementwise
    **{name: [X] for name in words("abs ceil cos cosh exp expm1 floor positive negative round")},
    **{name: [X] for name in words("sign signbit sin sinh square tan tanh trunc isnan isinf")},
    **{name: [X] for name in ["isfinite", "conj"]},
    **{name: [P] for name in words("log log1p log2 log10 sqrt reciprocal")},
    **{name: [U] for name in words("acos asin atan asinh atanh")},
    "acosh": [P + 1.0],
    **{name: [Z] for name in words("real imag")},
    **{name: [X, Y] for name in words("add subtract multiply divide atan2 hypot logaddexp")},
    **{name: [X, Y] for name in words("maximum minimum copysign nextafter")},
    **{name: [X, Y] for name in words("equal not_equal less less_equal greater greater_equal")},
    **{name: [X, P] for name in words("floor_divide remainder")},
    "pow": [P, X],
    "clip": [X, lambda f, x: f(x, -0.5, 0.5)],
    **{name: [K, K] for name in words("bitwise_and bitwise_or bitwise_xor")},
    **{name: [K, K] for name in words("bitwise_left_shift bitwise_right_shift")},
    "bitwise_invert": [K],
    **{name: [B, ~B] for name in words("logical_and logical_or logical_xor")},
    "logical_not": [B],
    # creation
    **{name: [X] for name in words("zeros_like ones_like asarray tril triu")},
    "empty_like": [X, lambda f, x: f(x).shape],
    "full_like": [X, lambda f, x: f(x, x[0, 0])],
    "full": [X, lambda f, x: f((2, 3), x[0, 0])],
    "linspace": [X, lambda f, x: f(x[0, 0], x[0, 1], 5)],
    "meshgrid": [X, lambda f, x: f(x[0], x[1], indexing="ij")],
    "zeros": [X, lambda f, x: f((2, 3)) + x[0, 0]],
    "ones": [X, lambda f, x: f(3, dtype=np.float32) * x[0, :3]],
    "empty": [X, lambda f, x: f((2, 3)) * 0 + x[0, 0]],
    "eye": [X, lambda f, x: f(3, 4, k=1) * x],
    "arange": [X, lambda f, x: f(4.0) * x],
    # data types and inspection
    "astype": [X, lambda f, x: f(x, np.float32)],
    "can_cast": [X, lambda f, x: f(x, np.complex128)],
    "result_type": [X, lambda f, x: np.zeros(2, f(x, 1j))],
    "isdtype": [X, lambda f, x: f(x.dtype, ("real floating", "integral"))],
    "finfo": [X, lambda f, x: f(x.dtype).eps],
    "iinfo": [K, lambda f, x: f(x.dtype).max],
    # indexing, searching, sets, sorting
    "take": [X, lambda f, x: f(x, np.array([2, 0]), axis=1)],
    "take_along_axis": [X, lambda f, x: f(x, np.argsort(X, axis=1), axis=1)],
    **{name: [X, lambda f, x: f(x, axis=1)] for name in words("argmax argmin argsort sort")},
    "count_nonzero": [X, lambda f, x: f(x, axis=0, keepdims=True)],
    "nonzero": [X],
    "searchsorted": [X, lambda f, x: f(np.array([-1.0, 0.0, 1.0]), x, side="right")],
    "where": [X, Y, lambda f, x, y: f(x > y, x, y)],
    **{name: [K] for name in words("unique_all unique_counts unique_inverse unique_values")},
    # manipulation
    "broadcast_arrays": [X, Y, lambda f, x, y: f(x, y[:1])],
    "broadcast_to": [X, lambda f, x: f(x, (2, 3, 4))],
    "concat": [X, Y, lambda f, x, y: f([x, y], axis=1)],
    "expand_dims": [X, lambda f, x: f(x, axis=1)],
    "flip": [X, lambda f, x: f(x, axis=(0, 1))],
    "moveaxis": [X, lambda f, x: f(x, 0, 1)],
    "permute_dims": [X, lambda f, x: f(x, (1, 0))],
    "repeat": [X, lambda f, x: f(x, np.array([1, 0, 2]), axis=0)],
    "reshape": [X, lambda f, x: f(x, (2, 6))],
    "roll": [X, lambda f, x: f(x, 2, axis=1)],
    "squeeze": [X, lambda f, x: f(x[None], axis=0)],
    "stack": [X, Y, lambda f, x, y: f([x, y], axis=-1)],
    "tile": [X, lambda f, x: f(x, (2, 1))],
    "unstack": [X, lambda f, x: f(x, axis=1)],
    # statistics and utilities
    **{name: [X, lambda f, x: f(x, axis=0, keepdims=True)] for name in words("max mean min")},
    **{name: [X, lambda f, x: f(x, axis=(0, 1))] for name in words("sum prod")},
    **{name: [X, lambda f, x: f(x, axis=1, correction=1.0)] for name in words("std var")},
    **{
        f"cumulative_{name}": [X, lambda f, x: f(x, axis=1, include_initial=True)]
        for name in ("sum", "prod")
    },
    **{name: [B, lambda f, x: f(x, axis=1)] for name in words("all any")},
    "diff": [X, lambda f, x: f(x, axis=1, n=2, prepend=x[:, :1])],
    # linear algebra
    "matmul": [X, Y, lambda f, x, y: f(x, y.T)],
    "matrix_transpose": [X],
    "tensordot": [X, Y, lambda f, x, y: f(x, y, axes=((0, 1), (0, 1)))],
    "vecdot": [Z, Y, lambda f, x, y: f(x, y, axis=0)],
    "linalg.cholesky": [S, lambda f, x: f(x, upper=True)],
    "linalg.cross": [X, Y, lambda f, x, y: f(x[:, :3], y[:, :3], axis=-1)],
    **{f"linalg.{name}": [S] for name in words("det diagonal eigvalsh inv slogdet svdvals trace")},
    "linalg.eigh": [S, lambda f, x: abs(f(x).eigenvectors)],
    "linalg.matmul": [S, S],
    "linalg.matrix_norm": [X, lambda f, x: f(x, ord="nuc")],
    "linalg.matrix_power": [S, lambda f, x: f(x, 3)],
    "linalg.matrix_rank": [S],
    "linalg.matrix_transpose": [X],
    "linalg.outer": [X, Y, lambda f, x, y: f(x[0], y[0])],
    "linalg.pinv": [X],
    "linalg.qr": [S, lambda f, x: abs(f(x).R)],
    "linalg.solve": [S, X],
    "linalg.svd": [X, lambda f, x: f(x, full_matrices=False).S],
    "linalg.tensordot": [X, Y, lambda f, x, y: f(x, y.T, axes=1)],
    "linalg.vecdot": [X, Y],
    "linalg.vector_norm": [X, lambda f, x: f(x, axis=1, ord=3)],
    # Fourier transforms
    **{f"fft.{name}": [Z] for name in words("fft ifft fftn ifftn irfft irfftn hfft")},
    **{f"fft.{name}": [X] for name in words("rfft rfftn ihfft fftshift ifftshift")},
}
VALUES_IN_SHAPE = {"nonzero", *(n for n in CALLS if n.startswith("unique"))}


def named(root, name: str):
    for part in name.split("."):
        root = getattr(root, part)
    return root


def leaves(out) -> list:
    return list(map(np.asarray, out)) if isinstance(out, (tuple, list)) else [np.asarray(out)]


def call_of(name: str):
    *arrays, last = CALLS[name]
    if callable(last):
        return arrays, lambda *xs: last(named(fnp, name), *xs)
    return [*arrays, last], lambda *xs: named(fnp, name)(*xs)


@pytest.mark.parametrize("name", CALLS)
def test_function(name: str) -> None:
    """Value, type and derivative; a batch and a graph equal to the plain function."""
    arrays, f = call_of(name)
    want = leaves(f(*arrays))
    moving = [x for x in arrays if x.dtype.kind in "fc"]
    if moving and len(moving) == len(arrays):
        got: list = []

        def kept(*xs):
            got[:] = [x if hasattr(x, "dtype") else np.asarray(x) for x in pieces(f(*xs))]
            return [x for x in got if x.dtype.kind in "fc"]

        directions = tuple(x * 0.3 for x in arrays)
        values, tangents = ft.jvp(kept, tuple(arrays), directions)
        assert [x.dtype for x in got] == [w.dtype for w in want]
        floats = [w for w in want if w.dtype.kind in "fc"]
        for a, b in zip(values, floats, strict=True):
            assert np.allclose(a, b, rtol=1e-12, atol=1e-12)
        h = 1e-6
        up = leaves(f(*[x + h * t for x, t in zip(arrays, directions, strict=True)]))
        down = leaves(f(*[x - h * t for x, t in zip(arrays, directions, strict=True)]))
        slopes = [(a - b) / (2 * h) for a, b in zip(up, down, strict=True) if a.dtype.kind in "fc"]
        for t, slope in zip(tangents, slopes, strict=True):
            # nextafter and astype to float32 have steps in place of a slope
            assert name in ("nextafter", "astype") or np.allclose(t, slope, rtol=1e-5, atol=1e-6)
    if name in VALUES_IN_SHAPE:
        with pytest.raises((ConcreteValueError, TypeError), match=r"test_array_api|values"):
            ft.jit(f)(*arrays)
        return
    graph = ft.make_graph(lambda *xs: list(map(fnp.asarray, pieces(f(*xs)))))(*arrays)
    lanes = ft.vmap(lambda *xs: list(map(fnp.asarray, pieces(f(*xs)))))(
        *[np.stack([x, x]) for x in arrays]
    )
    for staged, lane, w in zip(graph.evaluate(arrays), lanes, want, strict=True):
        assert staged.dtype == lane.dtype == w.dtype and staged.shape == lane[0].shape == w.shape
        assert np.allclose(staged, w, rtol=1e-12, atol=1e-12)
        assert np.allclose(lane[1], w, rtol=1e-12, atol=1e-12)


def pieces(out) -> list:
    return list(out) if isinstance(out, (tuple, list)) else [out]


# --- the array object ----------------------------------------------------------------------------


@pytest.mark.parametrize("transform", ["jvp", "vjp", "vmap", "jit"])
def test_attributes_and_methods(transform: str) -> None:
    def f(x):
        assert x.__array_namespace__() is fnp
        assert x.__array_namespace__(api_version="2024.12") is fnp
        assert x.device == "cpu" and x.to_device("cpu") is x
        assert (x.ndim, x.shape, x.size, x.itemsize) == (2, (3, 4), 12, 8)
        assert x.T.shape == x.mT.shape == (4, 3)
        with pytest.raises(ValueError, match=r"2000\.01"):
            x.__array_namespace__(api_version="2000.01")
        with pytest.raises(ValueError, match=r"cannot be moved to 'gpu:0'.*test_array_api\.py"):
            x.to_device("gpu:0")
        for method in ("__dlpack__", "__dlpack_device__"):
            with pytest.raises(ConcreteValueError, match=r"memory of a traced value.*DLPack"):
                getattr(x, method)()
        return x.__array_namespace__().sum(x * x)

    if transform == "jvp":
        ft.jvp(f, (X,), (X,))
    elif transform == "vjp":
        ft.vjp(f, X)
    elif transform == "vmap":
        ft.vmap(f)(np.stack([X, Y]))
    else:
        ft.jit(f)(X)


def test_constants_give_their_memory() -> None:
    def f(x):
        zeros = np.zeros_like(x)
        assert np.array_equal(np.from_dlpack(zeros), np.zeros((3, 4)))
        return np.sum(x)

    ft.grad(f)(X)


@pytest.mark.parametrize("index", [True, False, np.True_, np.array(False), (True,)])
def test_a_single_truth_value_as_an_index(index) -> None:
    def read(x):
        return x[index] * 2.0

    def write(x):
        y = x * x
        y[index] = 3.0 * x
        return y

    for f in (read, write):
        want = f(X)
        assert np.array_equal(ft.jvp(f, (X,), (X,))[0], want)
        assert np.array_equal(ft.jit(f)(X), want)
        assert np.array_equal(ft.vmap(f)(np.stack([Y, X]))[1], want)
        ft.testing.check_grads(f, (X,), order=2)


def test_a_traced_truth_value_chooses_an_assignment() -> None:
    def f(x):
        y = x * 1.0
        y[x[0, 0] > 0] = 7.0
        return y

    for x in (abs(X), -abs(X)):
        assert np.array_equal(ft.jit(f)(x), f(x))
    assert np.array_equal(ft.vmap(f)(np.stack([abs(X), -abs(X)])), [f(abs(X)), f(-abs(X))])
    with pytest.raises(ConcreteValueError, match="no fixed shape"):
        ft.jit(lambda x: x[x[0, 0] > 0])(X)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.float32, bool])
@pytest.mark.parametrize("name", ["sum", "prod", "cumulative_sum", "cumulative_prod"])
def test_totals_have_the_type_that_was_asked_for(name: str, dtype) -> None:
    x = np.array([100, 3, 7]).astype(dtype)
    for wanted in (None, np.int8, np.int64, np.float32):

        def f(x, wanted=wanted):
            return getattr(fnp, name)(x, dtype=wanted)

        with np.errstate(all="ignore"):
            got = ft.make_graph(f)(x).evaluate([x])[0]
            assert got.dtype == f(x).dtype
            assert np.array_equal(got, f(x))


@pytest.mark.parametrize("decimals", [0, 2, -1])
def test_rounding_of_integers_keeps_them(decimals: int) -> None:
    x = np.array([14, 15, 26, -37], np.int16)
    got = ft.vmap(lambda v: np.round(v, decimals))(x)
    assert got.dtype == np.int16 and np.array_equal(got, np.round(x, decimals))


def test_sign_of_complex_zeros() -> None:
    z = np.array([complex(-0.0, -0.0), 3 - 4j, 0j])
    got = ft.vmap(np.sign)(z)
    assert np.allclose(got, [0, 0.6 - 0.8j, 0])
    assert not np.signbit(got[0].real) and not np.signbit(got[0].imag)


# --- libraries written in the standard -----------------------------------------------------------


def test_einops() -> None:
    pytest.importorskip("einops")
    from einops.array_api import pack, rearrange, reduce, repeat, unpack

    images = rng.normal(size=(2, 4, 6, 3))

    def f(x):
        y = rearrange(x, "b (h h2) w c -> (b h) (w h2) c", h2=2)
        means = reduce(y, "b w c -> b c", "mean")
        pooled = reduce(x, "b (h k) w c -> b h c", "prod", k=2)
        wide = repeat(means, "b c -> b c k", k=3)
        packed, shapes = pack([means, wide[:, :, 0] ** 2], "b *")
        first, second = unpack(packed, shapes, "b *")
        return np.sum(np.sin(first * second)) + reduce(x, "b h w c -> b c", "max").sum() * (
            pooled.sum()
        )

    ft.testing.check_grads(f, (images,), order=2)
    assert np.allclose(ft.jit(ft.grad(f))(images), ft.grad(f)(images), rtol=1e-12)
    assert np.allclose(ft.vmap(f)(np.stack([images, 2 * images])), [f(images), f(2 * images)])


def test_einops_by_type() -> None:
    pytest.importorskip("einops")
    import einops

    import functorch_like.einops

    x = rng.normal(size=(4, 3))

    def f(x):
        pooled = einops.reduce(x, "(i two) j -> i j", "mean", two=2)
        wide = einops.repeat([pooled[0], pooled[1]], "k j -> (k r) j", r=2)
        flat, shapes = einops.pack([x, wide], "* j")
        back = einops.unpack(flat, shapes, "* j")
        product = einops.einsum(np.arange(12.0).reshape(4, 3), back[1], x, "i j, i j, i k -> k")
        return np.sum(einops.rearrange(product, "(k a) -> k a", a=1) ** 2)

    assert functorch_like.einops.rearrange is einops.rearrange
    ft.testing.check_grads(f, (x,), order=2)
    assert np.allclose(ft.jit(ft.grad(f))(x), ft.grad(f)(x), rtol=1e-12)
    assert np.allclose(ft.vmap(f)(np.stack([x, 2 * x])), [f(x), f(2 * x)], rtol=1e-12)
    assert np.shape(f(x)) == () and type(einops.rearrange(x, "i j -> j i")) is np.ndarray


def test_a_namespace_is_found_by_array_api_compat() -> None:
    compat = pytest.importorskip("scipy._lib.array_api_compat")

    def f(x):
        assert compat.is_array_api_obj(x) and compat.device(x) == "cpu"
        xp = compat.array_namespace(x)
        assert xp is fnp
        return xp.sum(xp.pow(x, 2))

    assert np.allclose(ft.grad(f)(X), 2 * X)
    ft.jit(f)(X)


SCIPY = """
    import warnings
    import numpy as np
    import functorch_like as ft
    from scipy import cluster, fft, integrate, optimize, signal, special, stats
    from scipy.cluster import vq
    import functorch_like.numpy as fnp

    calls = [
        lambda x: special.logsumexp(x, axis=1),
        lambda x: special.softmax(x, axis=0),
        lambda x: special.expit(x) * special.gammaln(x) * special.erf(x),
        lambda x: special.betainc(2.0, 3.0, x / 3),
        lambda x: special.rel_entr(x, x * x),
        lambda x: stats.zscore(x),
        lambda x: stats.skew(x),
        lambda x: stats.kurtosis(x),
        lambda x: stats.gmean(x),
        lambda x: stats.entropy(x),
        lambda x: stats.circmean(x),
        lambda x: stats.ttest_ind(x, x * x).pvalue,
        lambda x: stats.f_oneway(x[:, 0], x[:, 1]).statistic,
        lambda x: stats.trim_mean(x, 0.1),
        lambda x: stats.quantile(x, 0.3),
        lambda x: signal.fftconvolve(x[:, 0], x[:, 1]),
        lambda x: np.abs(signal.hilbert(x)),
        lambda x: signal.resample(x, 7),
        lambda x: np.abs(fft.rfft2(x)),
        lambda x: integrate.trapezoid(x),
        lambda x: integrate.cumulative_simpson(x),
        lambda x: vq.whiten(x),
        lambda x: optimize.rosen(x[:, 0]),
    ]
    x = np.random.default_rng(0).uniform(0.5, 2.0, size=(5, 4))
    v = np.ones_like(x)
    for k, f in enumerate(calls):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value, tangent = ft.jvp(f, (x,), (v,))
            h = 1e-6
            slope = (np.asarray(f(x + h * v)) - np.asarray(f(x - h * v))) / (2 * h)
            assert np.allclose(value, f(x)), k
            assert np.allclose(tangent, slope, rtol=1e-4, atol=1e-5), (k, tangent, slope)
    print(len(calls), "right")
"""


SKLEARN = """
    import sklearn
    from sklearn import decomposition, linear_model, preprocessing
    from sklearn.metrics import pairwise

    sklearn.set_config(array_api_dispatch=True)
    calls = [
        lambda x: pairwise.rbf_kernel(x),
        lambda x: pairwise.euclidean_distances(x + 1, 2 * x),
        lambda x: pairwise.cosine_similarity(x),
        lambda x: preprocessing.StandardScaler().fit_transform(x**2),
        lambda x: preprocessing.MinMaxScaler().fit_transform(x**2),
        lambda x: preprocessing.PolynomialFeatures(2).fit_transform(x),
        lambda x: decomposition.PCA(2, svd_solver="covariance_eigh").fit(x**2).explained_variance_,
        lambda x: linear_model.Ridge(solver="svd").fit(x, x[:, 0] * x[:, 1]).coef_,
    ]
"""
HEAD, TAIL = (
    SCIPY.partition("    calls = [")[0],
    "    x = np.random" + SCIPY.partition("    x = np.random")[2],
)


@pytest.mark.skipif(
    np.lib.NumpyVersion(scipy.__version__) < "1.17.0", reason="fewer functions follow the standard"
)
@pytest.mark.parametrize(("program", "count"), [(SCIPY, 23), (HEAD + SKLEARN + TAIL, 8)])
def test_libraries_in_their_array_api_mode(program: str, count: int) -> None:
    """Derivatives through SciPy's and scikit-learn's own functions, against differences."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == f"{count} right", done.stderr[-2000:]


@pytest.mark.parametrize("way", ["jvp", "vjp", "vmap", "stage", "jit"])
def test_the_namespaces_that_the_suite_is_run_on(way: str) -> None:
    path = pathlib.Path(__file__).parents[1] / "benchmarks" / "array_api.py"
    spec = importlib.util.spec_from_file_location("array_api_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    xp = module.namespace(way)
    x = xp.reshape(xp.arange(6.0), (2, 3))
    y = 2 - x @ x.T
    y += 1.0
    y[0, :] = -y[1, :]
    assert type(y) is module.Traced and y.dtype == np.float64
    plain = 3 - np.arange(6.0).reshape(2, 3) @ np.arange(6.0).reshape(2, 3).T
    assert np.array_equal(np.asarray(y), [-plain[1], plain[1]])
    assert np.allclose(xp.linalg.inv(y + 30 * xp.eye(2)) @ (y + 30 * xp.eye(2)), np.eye(2))
    values, counts = xp.unique_counts(xp.asarray([1, 1])) if way in ("jvp", "vjp") else ((1,), (2,))
    assert values[0] == 1 and counts[0] == 2
