"""exp, sin and cos in Numba by polynomials, without branches, so that LLVM vectorises loops.

Accurate to a few units in the last place: exp where its result is a normal number (clamped
outside), sin and cos where the argument is below 1e5 in double, 1e3 in single precision.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types
from numba.extending import intrinsic
from numpy import float32, int32

# All of fastmath but reassociation, which would undo the rounding by a large constant.
CAREFUL = {"nnan", "ninf", "nsz", "arcp", "contract", "afn"}

# x + ROUND - ROUND is the nearest integer to x, whose low bits stand in those of x + ROUND.
ROUND, ROUND_32 = 1.5 * 2.0**52, float32(1.5 * 2.0**23)

LOG2_E, LOG2_E_32 = 1.4426950408889634, float32(1.4426950408889634)
LN_2 = (6.93145751953125e-1, 1.42860682030941723212e-6)  # a sum, the first short
LN_2_32 = (float32(0.693359375), float32(-2.12194440e-4))
EXP = (
    2.5100472505694996e-08,
    2.7620201591031547e-07,
    2.7557268276905696e-06,
    2.4801521057868204e-05,
    0.00019841269863171557,
    0.0013888888917367081,
    0.008333333333330039,
    0.041666666666623824,
    0.16666666666666669,
    0.5000000000000001,
)
EXP_32 = tuple(
    map(
        float32,
        (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5),
    )
)

TWO_OVER_PI, TWO_OVER_PI_32 = 0.6366197723675814, float32(0.6366197723675814)
HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)
HALF_PI_32 = tuple(map(float32, (1.5703125, 4.837512969970703e-4, 7.54978995489188216e-8)))
SIN = (
    1.58962301576546568060e-10,
    -2.50507477628578072866e-8,
    2.75573136213857245213e-6,
    -1.98412698295895385996e-4,
    8.33333333332211858878e-3,
    -1.66666666666666307295e-1,
)
SIN_32 = tuple(map(float32, (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)))
COS = (
    -1.13585365213876817300e-11,
    2.08757008419747316778e-9,
    -2.75573141792967388112e-7,
    2.48015872888517045348e-5,
    -1.38888888888730564116e-3,
    4.16666666666665929218e-2,
)
COS_32 = tuple(map(float32, (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)))


def reinterpretation(kind: types.Type) -> Any:
    """A Numba function that takes the bits of a number for one of type ``kind``."""

    @intrinsic
    def bits(context: Any, number: types.Type) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(kind))

        return kind(number), generate

    return bits


as_float, as_int = reinterpretation(types.float64), reinterpretation(types.int64)
as_float32, as_int32 = reinterpretation(types.float32), reinterpretation(types.int32)


@njit(fastmath=CAREFUL, forceinline=True)
def exp(x: Any) -> Any:
    """Exponential in double precision."""
    x = min(max(x, -708.0), 709.0)
    shifted = x * LOG2_E + ROUND
    n = shifted - ROUND
    r = x - n * LN_2[0] - n * LN_2[1]
    q = EXP[0]
    q = q * r + EXP[1]
    q = q * r + EXP[2]
    q = q * r + EXP[3]
    q = q * r + EXP[4]
    q = q * r + EXP[5]
    q = q * r + EXP[6]
    q = q * r + EXP[7]
    q = q * r + EXP[8]
    q = q * r + EXP[9]
    power = as_float((as_int(shifted) + 1023) << 52)
    return (1.0 + (r + r * r * q)) * power


@njit(fastmath=CAREFUL, forceinline=True)
def exp32(x: Any) -> Any:
    """Exponential in single precision."""
    x = min(max(x, float32(-87.0)), float32(88.0))
    shifted = x * LOG2_E_32 + ROUND_32
    n = shifted - ROUND_32
    r = x - n * LN_2_32[0] - n * LN_2_32[1]
    q = EXP_32[0]
    q = q * r + EXP_32[1]
    q = q * r + EXP_32[2]
    q = q * r + EXP_32[3]
    q = q * r + EXP_32[4]
    q = q * r + EXP_32[5]
    power = as_float32(int32((as_int32(shifted) + int32(127)) << int32(23)))
    return (float32(1.0) + (r + r * r * q)) * power


@njit(fastmath=CAREFUL, forceinline=True)
def sin_cos(x: Any) -> Any:
    """Sine and cosine in double precision."""
    shifted = x * TWO_OVER_PI + ROUND
    n = shifted - ROUND
    r = x - n * HALF_PI[0] - n * HALF_PI[1] - n * HALF_PI[2]
    z = r * r
    s = SIN[0]
    s = s * z + SIN[1]
    s = s * z + SIN[2]
    s = s * z + SIN[3]
    s = s * z + SIN[4]
    s = s * z + SIN[5]
    c = COS[0]
    c = c * z + COS[1]
    c = c * z + COS[2]
    c = c * z + COS[3]
    c = c * z + COS[4]
    c = c * z + COS[5]
    s = r + r * z * s
    c = 1.0 - 0.5 * z + z * z * c
    quadrant = as_int(shifted)
    odd = (quadrant & 1) != 0
    sine, cosine = c if odd else s, s if odd else c
    flip_sine, flip_cosine = (quadrant & 2) << 62, ((quadrant + 1) & 2) << 62
    return as_float(as_int(sine) ^ flip_sine), as_float(as_int(cosine) ^ flip_cosine)


@njit(fastmath=CAREFUL, forceinline=True)
def sin_cos32(x: Any) -> Any:
    """Sine and cosine in single precision."""
    shifted = x * TWO_OVER_PI_32 + ROUND_32
    n = shifted - ROUND_32
    r = x - n * HALF_PI_32[0] - n * HALF_PI_32[1] - n * HALF_PI_32[2]
    z = r * r
    s = SIN_32[0]
    s = s * z + SIN_32[1]
    s = s * z + SIN_32[2]
    c = COS_32[0]
    c = c * z + COS_32[1]
    c = c * z + COS_32[2]
    s = r + r * z * s
    c = float32(1.0) - float32(0.5) * z + z * z * c
    quadrant = as_int32(shifted)
    odd = (quadrant & int32(1)) != 0
    sine, cosine = c if odd else s, s if odd else c
    flip_sine = int32((quadrant & int32(2)) << int32(30))
    flip_cosine = int32(((quadrant + int32(1)) & int32(2)) << int32(30))
    sine = as_float32(int32(as_int32(sine) ^ flip_sine))
    return sine, as_float32(int32(as_int32(cosine) ^ flip_cosine))
