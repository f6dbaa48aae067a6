"""functorch_like.numpy as a namespace: every name of NumPy, and what NumPy itself cannot offer."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import numpy as np
import pytest
import scipy.cluster
import scipy.interpolate
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

import functorch_like as ft
import functorch_like.numpy as fnp
from functorch_like.errors import ConcreteValueError, MutationError
from functorch_like.numpy.dispatch import FUNCTIONS
from functorch_like.numpy.namespace import OURS

rng = np.random.default_rng(0)
X = rng.normal(size=4)

# --- names ---------------------------------------------------------------------------------------


def test_every_name_of_numpy_is_there() -> None:
    assert set(np.__all__) - {"__version__"} <= set(dir(fnp))
    for name in dir(fnp):
        found = getattr(fnp, name)
        if name not in OURS and name not in ("linalg", "fft", "polynomial"):
            assert found is getattr(np, name), name
    with pytest.raises(AttributeError, match="no_such_name"):
        fnp.no_such_name  # noqa: B018


def test_a_name_is_ours_only_where_numpy_asks_nobody() -> None:
    # What NumPy dispatches is NumPy's own, but for makers of arrays, which may get plain ones.
    makers = {"linspace", "logspace", "geomspace", "copy"}
    for name in set(OURS) - makers:
        likes = name.endswith("_like")
        assert likes or not hasattr(getattr(np, name), "_implementation"), name


def test_no_module_of_ours_hides_a_name_of_numpy() -> None:
    modules = {m.name for m in pkgutil.iter_modules(fnp.__path__)}
    assert modules & set(dir(np)) <= {"fft", "linalg", "polynomial"}


@pytest.mark.parametrize("module", ["linalg", "fft"])
def test_submodules_have_every_name_and_numpys_values(module: str) -> None:
    ours, theirs = getattr(fnp, module), getattr(np, module)
    assert dir(ours) == sorted(theirs.__all__)
    for name in theirs.__all__:
        f, g = getattr(ours, name), getattr(theirs, name)
        assert f is g or FUNCTIONS.get(g) is f or name == "matmul", name
    assert np.array_equal(fnp.linalg.inv([[2, 0], [0, 4]]), np.linalg.inv([[2, 0], [0, 4]]))
    assert np.array_equal(fnp.fft.fftfreq(5), np.fft.fftfreq(5))


def test_star_import() -> None:
    names: dict = {}
    exec("from functorch_like.numpy import *", names)
    assert names["sin"] is np.sin and names["array"] is fnp.array and names["linalg"] is fnp.linalg


def test_importing_loads_none_of_numpys_larger_parts() -> None:
    code = (
        "import sys, functorch_like\n"
        "late = ('functorch_like.numpy.polynomial', 'functorch_like.einops', 'numpy.f2py')\n"
        "assert not set(late) & set(sys.modules)\n"
        "functorch_like.numpy.polynomial\n"
        "assert late[0] in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", sorted(set(OURS) - {"r_", "c_", "vectorize", "broadcast"}))
def test_outside_of_a_transform_the_result_is_numpys(name: str) -> None:
    calls: dict = {
        "zeros": ((2, 3), np.float32),
        "ones": (3,),
        "empty": ((2, 0),),
        "full": ((2,), 3),
        "eye": (2, 3, 1),
        "identity": (3,),
        "tri": (3, 2),
        "arange": (1.0, 2.0, 0.3),
        "linspace": (0, 1, 5),
        "logspace": (0, 1, 5),
        "geomspace": (1, 2, 5),
        "full_like": ([1, 2], 5),
        "fromiter": (range(3), float),
        "kaiser": (5, 2.0),
    }
    args = calls.get(name, ([[1, 2.5], [3, 4]],))
    got, want = getattr(fnp, name)(*args), getattr(np, name)(*args)
    if name == "ndenumerate":
        assert list(got) == list(want)
        return
    assert type(got) is type(want) and got.dtype == want.dtype and got.shape == want.shape
    assert name.startswith("empty") or np.array_equal(got, want)


# --- arrays made of traced values ----------------------------------------------------------------

NESTED = [
    lambda x: [x[0], 2.0, x[1]],
    lambda x: [[x[0], 1], (x[1], x[2])],
    lambda x: [x, x * x, np.ones(4)],
    lambda x: ([[x[0]]], [[np.float64(3)]]),
    lambda x: np.array([x[0], 2.0], dtype=object) if isinstance(x, np.ndarray) else [x[0], 2.0],
]


@pytest.mark.parametrize("nested", NESTED)
def test_array_of_nested_lists(nested) -> None:
    def ours(x):
        return fnp.array(nested(x), dtype=float) ** 2

    def plain(x):
        return np.array(nested(x), dtype=float) ** 2

    assert np.array_equal(ft.jvp(ours, (X,), (X,))[0], plain(X))
    h = 1e-6
    slope = (plain(X + h * X) - plain(X - h * X)) / (2 * h)
    assert np.allclose(ft.jvp(ours, (X,), (X,))[1], slope, rtol=1e-6, atol=1e-8)
    assert np.array_equal(ft.jit(ours)(X), plain(X))
    assert np.array_equal(ft.vmap(ours)(np.stack([X, 2 * X])), [plain(X), plain(2 * X)])
    ft.testing.check_grads(ours, (X,), order=2)


def test_array_of_python_objects() -> None:
    def f(x):
        cells = np.empty(3, dtype=object)
        for k in range(3):
            cells[k] = x[k] ** 2
        return fnp.array(cells).sum()

    assert np.allclose(ft.grad(f)(X), [*(2 * X[:3]), 0])


@pytest.mark.parametrize(
    ("make", "shape", "dtype"),
    [
        (lambda x: fnp.array(x, dtype=np.float32), (4,), np.float32),
        (lambda x: fnp.array([x, x], dtype=complex), (2, 4), complex),
        (lambda x: fnp.array(x[0], ndmin=2), (1, 1), float),
        (lambda x: fnp.asarray(x, int), (4,), int),
        (lambda x: fnp.asarray([[x[0]], [1]]), (2, 1), float),
        (lambda x: fnp.ascontiguousarray(x[0]), (1,), float),
        (lambda x: fnp.asfortranarray([x]), (1, 4), float),
        (lambda x: fnp.full((2, 4), x), (2, 4), float),
        (lambda x: fnp.full_like(np.zeros((2, 2)), x[0]), (2, 2), float),
        (lambda x: fnp.fromiter((v * 2 for v in x), np.float32, 3), (3,), np.float32),
        (lambda x: fnp.asarray_chkfinite([x[0], 1.0]), (2,), float),
        (lambda x: fnp.require(x, np.float32, ["C"]), (4,), np.float32),
        (lambda x: fnp.linspace(x[0], 1.0, 5), (5,), float),
        (lambda x: np.array([1.0, x[0]], like=x), (2,), float),
        (lambda x: np.zeros(3, like=x) + x[0], (3,), float),
    ],
)
def test_shapes_and_types_of_made_arrays(make, shape, dtype) -> None:
    plain, compiled, traced = make(X), ft.jit(make)(X), ft.jvp(make, (X,), (X,))[0]
    batched = ft.vmap(make)(np.stack([X, X]))[0]
    for got in (compiled, traced, batched):
        assert got.shape == shape and got.dtype == dtype
        assert np.allclose(got, plain, rtol=1e-15)


def test_array_copies_and_asarray_does_not() -> None:
    def f(x):
        y, z = fnp.array(x), fnp.asarray(x)
        assert z is x and y is not x
        y[0] = 10.0
        return x.sum() + 0 * y.sum()

    assert np.array_equal(ft.grad(f)(X), np.ones(4))
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        ft.grad(lambda x: fnp.array([x[0]], copy=False).sum())(X)
    plain = np.ones(3)
    assert ft.jit(lambda x: float(fnp.asarray(plain) is plain) * x)(1.0) == 1.0


def test_bad_input_to_array() -> None:
    with pytest.raises(
        ValueError, match=r"elements of one shape.*test_numpy_namespace.*\(\), \(4,\)"
    ):
        ft.grad(lambda x: fnp.array([x, x[0]]).sum())(X)
    with pytest.raises(TypeError, match=r"array: expected numbers.*'a'"):
        ft.grad(lambda x: fnp.array([x[0], "a"]).sum())(X)
    with pytest.raises(TypeError, match=r"cannot be held by an array of dtype object"):
        ft.grad(lambda x: fnp.array([x[0]], dtype=object))(X)
    with pytest.raises(ValueError, match='device="cpu"'):
        ft.grad(lambda x: fnp.full((2,), x[0], device="gpu").sum())(X)
    with pytest.raises(ValueError, match="infs or NaNs"):
        ft.grad(lambda x: fnp.asarray_chkfinite(x * np.inf).sum())(X)
    with pytest.raises(ValueError, match="iterator too short"):
        ft.grad(lambda x: fnp.fromiter(iter(x), float, 9).sum())(X)


def test_arange_with_traced_ends() -> None:
    def f(a):
        return fnp.arange(a, a + 3.0, 0.5) ** 2

    assert np.array_equal(ft.jvp(f, (1.0,), (1.0,))[0], np.arange(1.0, 4.0, 0.5) ** 2)
    assert np.allclose(ft.jvp(f, (1.0,), (1.0,))[1], 2 * np.arange(1.0, 4.0, 0.5))
    with pytest.raises(ConcreteValueError, match=r"arange: how many.*linspace"):
        ft.jit(f)(1.0)
    assert ft.grad(lambda a: a * fnp.arange(3).sum())(2.0) == 3.0


# --- assigning -----------------------------------------------------------------------------------


def filled(x):
    y = fnp.zeros(5)
    y[0] = x
    y[np.array([True, False, True, False, False])] += x * x
    y[1:] *= x + 1.0
    y[3] = np.sin(x)
    view = y[1:4].reshape(3, 1)
    view[:, 0] -= y[0]
    y[[0, 4, 0]] += 2.0 * x
    return y


def grid(x):
    y = fnp.empty((2, 3))
    for i, row in enumerate(y):
        row[:] = x**i
        row[-1] = i
    return y


def identity(x):
    y = fnp.eye(3)
    y[np.diag_indices(3)] *= x
    y.T[0, 1:] = fnp.full(2, x)
    return y


def ramp(x):
    y = fnp.linspace(0.0, 1.0, 4)
    y[1:3] = [x, x * x]
    z = fnp.arange(3.0)
    z[1:] *= x
    w = fnp.array([1.0, 2.0])
    w[0] = x
    return fnp.concatenate([y, z, w, fnp.ones_like(w) * x, fnp.zeros_like([1.0])])


def rotated(x):
    out = fnp.full((2, 2), np.cos(x))
    out[0, 1], out[1, 0] = -np.sin(x), np.sin(x)
    out @= out
    return out


@pytest.mark.parametrize("f", [filled, grid, identity, ramp, rotated])
def test_made_arrays_can_be_assigned_to(f) -> None:
    x, h = 0.7, 1e-6
    want = f(x)
    assert type(want) is np.ndarray
    slope = (f(x + h) - f(x - h)) / (2 * h)
    value, tangent = ft.jvp(f, (x,), (1.0,))
    assert np.array_equal(value, want) and np.allclose(tangent, slope, atol=1e-8)
    assert np.allclose(ft.jacrev(f)(x), slope, atol=1e-8)
    assert np.allclose(ft.vmap(f)(np.array([x, 2 * x])), [want, f(2 * x)], atol=1e-14)
    assert np.allclose(ft.jit(f)(x), want, atol=1e-14)
    assert np.allclose(ft.jit(ft.jacfwd(f))(x), slope, atol=1e-8)
    assert np.allclose(ft.vmap(ft.jacrev(f))(np.array([x, 2 * x]))[0], slope, atol=1e-8)
    ft.testing.check_grads(f, (x,), order=2)


def test_assigning_in_a_nested_transform() -> None:
    def outer(x):
        def inner(y):
            z = fnp.zeros(2)
            z[0], z[1] = x * y, x
            return np.sum(z**2)

        return ft.grad(inner)(3.0)  # 2 x^2 y

    assert ft.grad(outer)(2.0) == pytest.approx(4 * 2.0 * 3.0)


def test_integers_made_stay_plain() -> None:
    def f(x):
        order = fnp.arange(4)[::-1]
        assert type(order) is np.ndarray and type(fnp.array([0, 1])) is np.ndarray
        return x[order][: fnp.array([2, 3])[0]]

    assert np.array_equal(ft.jit(f)(X), X[::-1][:2])


@given(
    st.lists(st.floats(-2, 2), min_size=1, max_size=6),
    st.integers(0, 5),
    st.slices(6),
)
def test_assigned_slices_equal_numpys(values, at, where) -> None:
    x = np.array(values)

    def f(zeros, x):
        y = zeros(6)
        y[at] = x[0]
        y[where] = x[-1] * 2
        y[where] += y[where]
        return y

    want = f(np.zeros, x)
    assert np.array_equal(ft.jvp(lambda x: f(fnp.zeros, x), (x,), (x,))[0], want)
    # f is linear: its derivative in the direction x is its value
    assert np.array_equal(ft.jvp(lambda x: f(fnp.zeros, x), (x,), (x,))[1], want)


# --- other helpers -------------------------------------------------------------------------------


def saturate(v):
    return v if v < 1 else 1 + np.log(v)


def test_vectorize() -> None:
    x = np.array([[0.5, 2.0], [4.0, 0.1]])
    f = fnp.vectorize(saturate)
    assert np.array_equal(f(x), np.vectorize(saturate)(x))
    assert np.allclose(ft.grad(lambda x: np.sum(f(x)))(x), [[1, 0.5], [0.25, 1]])

    both = fnp.vectorize(lambda a, b, c=1.0: (a * b, a + c), excluded=["c"])
    got = ft.jit(lambda a: both(a, x[0], c=3.0))(x)
    assert np.allclose(got[0], x * x[0]) and np.allclose(got[1], x + 3.0)

    @fnp.vectorize
    def closed(i):
        return theta[i] ** 2

    def through(t):
        nonlocal theta
        theta = t
        return np.sum(closed(np.arange(3)))

    theta = x[0]
    assert np.allclose(ft.grad(through)(x[0].repeat(2)[:3]), 2 * x[0].repeat(2)[:3])

    inner = fnp.vectorize(np.dot, signature="(n),(n)->()")
    assert np.allclose(ft.vmap(lambda a: inner(a, a))(np.stack([x, x])), [np.sum(x * x, 1)] * 2)
    typed = fnp.vectorize(lambda v: v, otypes=[np.float32])
    assert ft.jit(lambda a: typed(a))(x).dtype == np.float32
    assert ft.jit(lambda a: typed(a[:0]))(x).shape == (0, 2)
    with pytest.raises(ValueError, match="size 0 inputs"):
        ft.grad(lambda a: np.sum(f(a[:0])))(x)
    with pytest.raises(TypeError, match="number of positional arguments"):
        ft.grad(lambda a: np.sum(inner(a)))(x)


def test_rows_and_columns() -> None:
    def f(x):
        return fnp.r_[x, 1.0, 2:4, 0:1:3j], fnp.c_[x, x**2, [1, 2, 3, 4]], fnp.r_["0,2", x, x]

    for got, want in zip(ft.jvp(f, (X,), (X,))[0], f(X), strict=True):
        assert np.array_equal(got, want)
    assert np.array_equal(fnp.r_[1:3], np.r_[1:3])
    assert np.allclose(ft.grad(lambda x: np.sum(fnp.r_[x, 2 * x]))(X), 3)


def test_iterators_and_shapes() -> None:
    def f(x):
        assert fnp.broadcast(x, np.zeros((3, 1))).shape == (3, 4)
        return sum(v * i[0] for i, v in fnp.ndenumerate(x))

    assert np.array_equal(ft.grad(f)(X), np.arange(4.0))


def test_polynomials_are_reached() -> None:
    slope = ft.grad(lambda c: fnp.polynomial.polynomial.polyval(2.0, c))(X)
    assert np.array_equal(slope, [1, 2, 4, 8])


# --- conversions that are refused ----------------------------------------------------------------


def assign_one(x):
    z = np.zeros(3)
    z[0] = x[0]
    return z


def assign_all(x):
    z = np.zeros(4)
    z[:] = x
    return z


REFUSED = {
    "np.array of a list": (
        lambda x: np.array([x[0], x[1]]),
        r"np\.array\(\[x\[0\], x\[1\]\]\).*np\.stack of a list, or functorch_like\.numpy\.array",
    ),
    "np.asarray": (lambda x: np.asarray(x), r"functorch_like\.numpy\.array\(\.\.\.\)"),
    "one element": (
        assign_one,
        r"assigned to elements.*z\[0\] = x\[0\].*functorch_like\.numpy\.zeros",
    ),
    "a slice": (assign_all, r"assigned to elements.*z\[:\] = x;.*functorch_like\.numpy\.zeros"),
    "a function of NumPy": (
        lambda x: np.asarray_chkfinite(x),
        r"numpy\.asarray_chkfinite was given.*Write functorch_like\.numpy\.asarray_chkfinite",
    ),
    "scipy.special": (
        lambda x: scipy.special.logsumexp(x),
        r"scipy\.special\.logsumexp was given a traced value of shape \(4,\).*"
        r"test_numpy_namespace\.py:\d+.*Write functorch_like\.scipy\.special\.logsumexp",
    ),
    "a distribution": (
        lambda x: scipy.stats.norm.logpdf(x),
        r"scipy\.stats\.norm\.logpdf was given.*test_numpy_namespace\.py",
    ),
    "a frozen distribution": (
        lambda x: scipy.stats.gamma(2.0).logpdf(x),
        r"scipy\.stats\.gamma\.logpdf was given",
    ),
    "a class": (
        lambda x: scipy.interpolate.CubicSpline(np.arange(4.0), np.arange(4.0))(x),
        r"scipy\.interpolate\.CubicSpline was given",
    ),
    "a decorated function": (
        lambda x: scipy.stats.ansari(x, x),
        r"scipy\.stats\.ansari was given",
    ),
    "no counterpart": (
        lambda x: scipy.cluster.vq.whiten(np.outer(x, x)),
        r"scipy\.cluster\.vq\.whiten was given.*not supported on traced values.*"
        r"functorch_like\.wrap",
    ),
    "DLPack": (lambda x: np.from_dlpack(x), r"memory of a traced value.*DLPack.*wrap"),
}


@pytest.mark.parametrize("which", REFUSED)
@pytest.mark.parametrize("transform", [ft.jacfwd, ft.jacrev, ft.jit])
def test_conversions_are_refused_with_the_way_out(which: str, transform) -> None:
    f, message = REFUSED[which]
    with pytest.raises(ConcreteValueError, match=message) as caught:
        transform(f)(np.sort(X))
    assert "test_numpy_namespace.py:" in str(caught.value)


def test_numpy_functions_that_need_a_value_say_so() -> None:
    with pytest.raises(TypeError, match=r"numpy\.repeat was given.*plain array made outside"):
        ft.vmap(lambda n: np.repeat(np.arange(3.0), n))(np.ones((2, 3), int))


def test_writing_through_out_stays_refused() -> None:
    with pytest.raises(MutationError, match="out= cannot be written"):
        ft.grad(lambda x: np.sum(x, out=np.zeros(())))(X)
