"""kernels/vector_math: errors in units in the last place, special values, packed instructions."""

import ctypes
import functools
import platform
import re

import mpmath
import numpy as np
import pytest
import scipy.special
from mpmath import mp, mpf

from functorch_like.kernels import native
from functorch_like.kernels.llvm_printer import LLVM_TYPES, declarations
from functorch_like.kernels.vector_math import (
    FUNCTIONS,
    SMALL_ANGLE,
    ULPS,
    function,
    functions_text,
)

NUMPY = {"f64": np.float64, "f32": np.float32}
CASES = [(name, dtype) for name in FUNCTIONS for dtype in NUMPY]


def loop_text(name, dtype):
    kind = LLVM_TYPES[dtype]
    arguments = range(len(function(name, dtype).parameters))
    pointers = ", ".join(f"ptr noalias %x{k}" for k in arguments)
    loads = "\n".join(
        f"  %p{k} = getelementptr inbounds {kind}, ptr %x{k}, i64 %i\n"
        f"  %v{k} = load {kind}, ptr %p{k}"
        for k in arguments
    )
    values = ", ".join(f"{kind} %v{k}" for k in arguments)
    return f"""
{declarations()}
{functions_text([f"{name}.{dtype}"])}
define void @loop({pointers}, ptr noalias %y, i64 %n) {{
entry:
  br label %body
body:
  %i = phi i64 [0, %entry], [%next, %body]
{loads}
  %r = call {kind} @{name}.{dtype}({values})
  %q = getelementptr inbounds {kind}, ptr %y, i64 %i
  store {kind} %r, ptr %q
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %body, label %end
end:
  ret void
}}
!0 = !{{}}
"""


@functools.cache
def compiled(name, dtype):
    library = native.load_object(native.compile_object(loop_text(name, dtype)))
    count = len(function(name, dtype).parameters)
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (count + 1), ctypes.c_int64)
    return library, kind(library.address("loop"))


def run(name, *operands):
    operands = [np.ascontiguousarray(x) for x in operands]
    dtype = {"float64": "f64", "float32": "f32"}[operands[0].dtype.name]
    out = np.empty_like(operands[0])
    compiled(name, dtype)[1](*[x.ctypes.data for x in operands], out.ctypes.data, out.size)
    return out


# --- Samples


def samples(name, dtype, count):
    """Seeded operands: the usual range, whole exponent ranges, and beside joints and zeros."""
    random = np.random.default_rng(7)
    double = dtype == "f64"
    top, digits, limit = (1023, 52, 709.78) if double else (127, 23, 88.72)
    bottom = -top - digits + 2

    def uniform(low, high):
        return random.uniform(low, high, count)

    def signed(x):
        return x * random.choice([-1.0, 1.0], x.size)

    def powers(low, high):
        """Magnitudes of all sizes."""
        return np.exp2(uniform(low, high))

    def ranges(*parts):
        return np.concatenate(parts).astype(NUMPY[dtype])

    everything = signed(powers(bottom, top))
    unit = [signed(powers(bottom, -0.01)), uniform(-1, 1), signed(1 - powers(-digits, -0.1))]
    match name:
        case "exp" | "expm1" | "expit" | "softplus" | "exp2":
            low, high = (-limit - digits, limit) if name != "exp2" else (bottom, top + 1)
            return [ranges(uniform(-1, 1), uniform(low, high), signed(powers(bottom, 6)))]
        case "sinh" | "cosh" | "tanh":
            reach = limit + 0.69 if name != "tanh" else 25
            return [ranges(uniform(-1, 1), uniform(-reach, reach), signed(powers(bottom, 4)))]
        case "log" | "log2" | "log10":
            return [ranges(uniform(0.5, 2), abs(everything), 1 + signed(powers(-digits, -1.1)))]
        case "log1p":
            near = signed(powers(bottom, -0.1))
            return [ranges(uniform(-0.99, 2), abs(everything), near, powers(-digits, -1) - 1)]
        case "arcsinh" | "arctan" | "cbrt":
            return [ranges(everything, uniform(-3, 3), signed(powers(-12, 12)))]
        case "arccosh":
            return [ranges(1 + powers(-digits, 0), uniform(1, 3), powers(0, top))]
        case "arctanh" | "arcsin" | "arccos":
            return [ranges(*unit)]
        case "sin" | "cos" | "tan":
            multiples = random.integers(1, 1 << 20, count) * (np.pi / 2)
            hard = [6381956970095103.0 * 2.0**797, 2.0**1023] if double else [2.0**127]
            return [ranges(uniform(-4, 4), everything, uniform(-1e3, 1e3), multiples, hard)]
        case "sin_small" | "cos_small" | "tan_small":
            reach = np.log2(SMALL_ANGLE[dtype])
            multiples = random.integers(1, int(2 ** (reach - 1)), count) * (np.pi / 2)
            tiny = signed(powers(bottom, reach))
            return [ranges(uniform(-4, 4), tiny, uniform(-1e3, 1e3), multiples)]
        case "power":
            bases = [powers(1 - top, top), uniform(0.5, 2), uniform(0, 10)]
            bases.append(1 + signed(powers(1 - digits, -3)))
            x = ranges(*bases, -powers(-3, 3))
            reach = top / np.log2(np.abs(x.astype(float)) + (np.abs(x) == 1))
            y = np.clip(random.uniform(-1.04, 1.02, x.size) * reach, -1e9, 1e9)
            y[-count:] = random.integers(-20, 20, count)
            return [x, y.astype(x.dtype)]
        case "arctan2" | "hypot":
            a, b = signed(powers(bottom, top)), signed(powers(bottom, top))
            c = uniform(-3, 3)
            return [ranges(a, c, a), ranges(b, uniform(-3, 3), a * powers(-3, 3).clip(0.3, 1))]
        case "logaddexp" | "logaddexp2":
            a, b, c = uniform(-3, 3), uniform(-600, 600), uniform(-80, 80)
            return [ranges(a, b, c), ranges(uniform(-3, 3), b + uniform(-9, 9), c[::-1])]
        case "erf":
            return [ranges(uniform(-1, 1), uniform(-6, 6), signed(powers(bottom, 2)))]
        case "erfc":
            far = uniform(-6, 26.6 if double else 10)
            return [ranges(uniform(-1, 1), far, signed(powers(-60, 2)))]
        case "erfinv":
            return [ranges(*unit)[: 3 * count : 3]]
        case "gammaln" | "psi":
            far = powers(2 - top, top - 12)
            near = [uniform(0, 3), uniform(0, 30), 1 + signed(powers(-30, -2)), uniform(-30, 0)]
            return [ranges(far, *near)[::3]]
    raise KeyError(name)


# --- References


def mp_erfinv(x):
    y = abs(x)
    if y < 0.5:
        return mpmath.erfinv(x)
    target = mpmath.log1p(-y)
    z = mpmath.sqrt(-target)
    for _ in range(60):  # Newton's method on log(erfc)
        tail = mpmath.erfc(z)
        step = (mpmath.log(tail) - target) * tail * mpmath.exp(z * z) * -mpmath.sqrt(mp.pi) / 2
        z -= step
        if abs(step) < mpf(10) ** -35:
            break
    return mpmath.sign(x) * z


def mp_logaddexp2(x, y):
    return max(x, y) + mpmath.log1p(mpf(2) ** -abs(x - y)) / mpmath.log(2)


MPMATH = {
    "exp2": lambda x: mpf(2) ** x,
    "log2": lambda x: mpmath.log(x, 2),
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "arctan2": mpmath.atan2,
    "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh,
    "arctanh": mpmath.atanh,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "power": lambda x, y: x ** int(y) if x < 0 else x**y,
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "logaddexp": lambda x, y: max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y))),
    "logaddexp2": mp_logaddexp2,
    "gammaln": lambda x: mpmath.loggamma(x).real,
    "psi": mpmath.digamma,
    "erfinv": mp_erfinv,
}

NUMPY_REFERENCES = {
    "expit": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(0, x),
    **{k: getattr(scipy.special, k) for k in ("erf", "erfc", "erfinv", "gammaln", "psi")},
}


def reference(name, dtype, operands):
    """The result as a float64 and what that lacks."""
    base = name.removesuffix("_small")
    if dtype == "f32":  # float64 is exact enough
        exact = NUMPY_REFERENCES.get(base) or getattr(np, base)
        with np.errstate(all="ignore"):
            high = exact(*[x.astype(np.float64) for x in operands])
        return high, np.zeros_like(high)
    exact = MPMATH.get(base) or getattr(mpmath, base)
    high, low = [], []
    largest = max(1.0, float(np.max(np.abs(operands[0]))))
    digits = 40 + int(np.log10(largest)) if base in ("sin", "cos", "tan") else 40
    with mp.workdps(digits):
        for values in zip(*[x.tolist() for x in operands], strict=True):
            result = exact(*map(mpf, values))
            high.append(float(result))
            low.append(float(result - high[-1]) if np.isfinite(high[-1]) else 0.0)
    return np.array(high), np.array(low)


# where a sum cancels, the error counts against its largest term
SCALES = {
    "logaddexp": lambda x, y: np.maximum(np.abs(np.maximum(x, y)), 0.5),
    "logaddexp2": lambda x, y: np.maximum(np.abs(np.maximum(x, y)), 0.5),
    "gammaln": lambda x: np.where(x < 0, 1 + np.abs(scipy.special.gammaln(np.abs(x) + 1)), 0),
    "psi": lambda x: np.where(x < 0, 1 + sum(np.abs(scipy.special.psi([x, np.abs(x) + 1]))), 0),
}


def errors(name, operands, result):
    """Errors in units in the last place."""
    dtype = result.dtype.type
    high, low = reference(name, {np.float64: "f64", np.float32: "f32"}[dtype], operands)
    with np.errstate(all="ignore"):
        rounded = high.astype(dtype)
        scale = np.where(np.isfinite(rounded), np.abs(rounded), np.finfo(dtype).max)
        if name in SCALES:
            scale = np.maximum(scale, SCALES[name](*operands))
        unit = np.spacing(scale.astype(dtype)).astype(np.float64)
        error = np.abs((result.astype(np.float64) - high) - low) / unit
    error = np.where(result == rounded, np.where(np.isfinite(rounded), error, 0.0), error)
    return np.where(np.isnan(error), np.inf, error)


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_error_in_units_in_the_last_place(name, dtype, record_property):
    count = 800 if dtype == "f64" else 20_000
    operands = samples(name, dtype, count)
    error = errors(name, operands, run(name, *operands))
    worst = int(np.argmax(error))
    record_property("ulp", float(error[worst]))
    bound = ULPS[name][list(NUMPY).index(dtype)]
    assert error[worst] <= bound, [float(x[worst]) for x in operands]


# --- Special values


def special_values(dtype):
    t = np.finfo(NUMPY[dtype])
    positive = [0, t.smallest_subnormal, 99 * t.smallest_subnormal, t.tiny, t.eps, 1 - t.epsneg]
    positive += [1, 1 + t.eps, 1 / 3, 0.5, 1.5, 2, 2.5, 3, 4, 5, 8, 10, 89, 100, 709.9, 720, 1e5]
    positive += [t.max, np.inf, np.nan]
    values = np.array(positive, NUMPY[dtype])
    return np.concatenate([values, -values])


def same(result, expected):
    """Equal to a few units, zeros with the same sign, infinities and NaN alike."""
    with np.errstate(all="ignore"):
        close = np.abs(result - expected) <= 32 * np.spacing(np.abs(expected))
        equal = (close | (result == expected)) & (np.signbit(result) == np.signbit(expected))
    return equal | (np.isnan(result) & np.isnan(expected))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_special_values_are_those_of_numpy_and_scipy(name, dtype):
    values = special_values(dtype)
    if name.endswith("_small"):
        values = values[np.abs(values) <= SMALL_ANGLE[dtype]]
    operands = [values]
    if len(function(name, dtype).parameters) == 2:
        operands = [x.ravel() for x in np.meshgrid(values, values)]
    base = name.removesuffix("_small")
    exact = NUMPY_REFERENCES.get(base) or getattr(np, base)
    result = run(name, *operands)
    with np.errstate(all="ignore"):
        # in float64, lest the reference itself be rough
        expected = exact(*[x.astype(np.float64) for x in operands]).astype(result.dtype)
    right = same(result, expected)
    x = operands[0]
    with np.errstate(all="ignore"):
        if name == "expit":
            right |= (x < -700) & same(result, np.exp(x))  # 1 / (1 + inf) there
        if name == "erfinv":
            right |= (x == 0) & (result == x)  # SciPy drops the sign of -0
        if name == "gammaln":  # SciPy overflows at subnormal numbers and is rough beside the zeros
            right |= (np.abs(x) < np.finfo(x.dtype).tiny) & same(result, -np.log(np.abs(x)))
        if name in SCALES:  # beside zeros
            right |= np.abs(result - expected) < 4 * np.finfo(x.dtype).eps
        if name == "psi":
            right |= (x > -1) & (x < -0.9) & same(result, -1 / (x + 1))  # rough beside the poles
    wrong = np.flatnonzero(~right)
    assert wrong.size == 0, [
        (*(float(v[i]) for v in operands), result[i], expected[i]) for i in wrong
    ]


def test_results_that_are_floats_are_exact():
    for dtype, kind in NUMPY.items():
        top = 1023 if dtype == "f64" else 127
        k = np.arange(1 - top, top).astype(kind)
        two = np.exp2(k)
        assert (run("exp2", k) == two).all()
        assert (run("log2", two) == k).all()
        n = np.arange(-100, 101).astype(kind)
        assert (run("cbrt", n**3) == n).all()
        ten = np.arange(0, 23 if dtype == "f64" else 11)
        assert (run("log10", np.array([10.0**i for i in ten], kind)) == ten).all()
        x, y = (v.ravel() for v in np.meshgrid(np.arange(-30, 31), np.arange(0, 16)))
        fits = np.abs(x.astype(float)) ** y < 2.0 ** (53 if dtype == "f64" else 24)
        x, y = x[fits], y[fits]
        assert (run("power", x.astype(kind), y.astype(kind)) == x**y).all()
        assert (run("hypot", 3 * n, 4 * n) == 5 * abs(n)).all()


# --- Code


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_loops_are_vectorised(name, dtype):
    if not re.search(r"\bfma\b", native.target_description()):
        pytest.skip("without fused multiply-add, fma is a call")
    text = native.assembly(loop_text(name, dtype))
    loop = re.split(r"^loop:", text, flags=re.M)[1]
    assert not re.search(r"^\s+call", loop, re.M)
    assert len(re.findall(r"^\s+vf\w*(?:add|sub)\w*p[sd]\s", loop, re.M)) >= 1
    # the widest of the vector registers that there are
    assert re.search("[yz]mm", loop)


def test_text_has_each_function_and_table_once():
    text = functions_text(["gammaln.f32", "gammaln.f64", "sin.f64", "cos.f64", "erf.f64"])
    defined = re.findall(r"define internal \w+ @([\w.]+)", text)
    assert sorted(defined) == ["cos.f64", "erf.f64", "gammaln.f32", "gammaln.f64", "sin.f64"]
    tables = re.findall(r"^@(table[\w.]+)", text, re.M)
    assert len(tables) == len(set(tables)) == 6


def test_function_is_made_once():
    assert function("exp", "f32") is function("exp", "f32")
    assert function("exp", "f32").name == "exp.f32"
