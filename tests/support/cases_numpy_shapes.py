"""Calls of numpy: shapes, joins, making arrays, products."""

from __future__ import annotations

import numpy as np

from support.cases_numpy import EMPTY, MASK, ZV, P, S, T, V, W, X, Y, Z, cases

cases("reshape", X, call=lambda f, x: f(x, (2, -1)))
cases("reshape", X, call=lambda f, x: f(x, 12, order="F"))
cases("reshape", T, call=lambda f, x: f(x, (4, 6), order="F", copy=True))
cases("reshape", T, shape=(6, -1))
cases("reshape", EMPTY, shape=(3, 0, 2))
cases("reshape", S, shape=(1, 1))
cases("ravel", T)
cases("ravel", T, order="F")
cases("ravel", S)
for name in ("transpose", "permute_dims"):
    cases(name, T)
    cases(name, T, axes=(2, 0, -2))
    cases(name, Z)
cases("matrix_transpose", T)
cases("swapaxes", T, axis1=0, axis2=-1)
cases("moveaxis", T, source=0, destination=-1)
cases("moveaxis", T, source=(0, 2), destination=(-1, 0))
cases("rollaxis", T, axis=2)
cases("rollaxis", T, axis=-3, start=-1)
cases("broadcast_to", X, shape=(2, 3, 4))
cases("broadcast_to", S, shape=3)
cases("broadcast_arrays", X, W[:, None], S)
cases("squeeze", X[None, :, None])
cases("squeeze", X[None, :, None], axis=(0, -2))
cases("expand_dims", X, axis=(0, -1))
cases("expand_dims", X, axis=1)
for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
    cases(name, S)
    cases(name, V)
    cases(name, X)
    cases(name, S, T, V)

for name in ("concatenate", "concat"):
    cases(name, X, Y, call=lambda f, x, y: f([x, y]))
    cases(name, X, V, call=lambda f, x, v: f((x, v[None], np.ones((1, 4), np.float32)), axis=-2))
    cases(name, X, S, call=lambda f, x, s: f([x, s[None, None]], axis=None))
    cases(name, X, call=lambda f, x: f([x, 1j * x], axis=1, dtype=complex, casting="safe"))
    cases(name, T, axis=-1)
    cases(name, EMPTY, call=lambda f, x: f([x, np.ones((2, 3))]))
cases("stack", X, Y, call=lambda f, x, y: f([x, y], axis=-1))
cases("stack", S, call=lambda f, s: f([s, 1.0, 2 * s]))
cases("stack", X, call=lambda f, x: f([x, x], dtype=complex, axis=1, casting="safe"))
for name in ("hstack", "vstack", "row_stack"):
    cases(name, X, Y, call=lambda f, x, y: f((x, y)))
    cases(name, V, call=lambda f, v: f([v, [1.0, 2.0, 3.0, 4.0]], dtype=complex))
    cases(name, S, call=lambda f, s: f([s, s * s]))
cases("dstack", X, Y, call=lambda f, x, y: f((x, y)))
cases("dstack", V, S, call=lambda f, v, s: f([v, v * s]))
cases("column_stack", V, X, call=lambda f, v, x: f([v, x.T, [1, 2, 3, 4]]))
cases("column_stack", S, call=lambda f, s: f([s, s]))
cases("block", X, V, call=lambda f, x, v: f([[x, x], [v, 2 * v]]))
cases("block", V, S, call=lambda f, v, s: f([v, s, 1.0]))
cases("block", X, call=lambda f, x: f(x))
cases("block", T, call=lambda f, x: f([[[x, x]], [[x, np.ones((2, 3, 4))]]]))
cases("append", X, V, call=lambda f, x, v: f(x, v))
cases("append", X, V, call=lambda f, x, v: f(x, v[None], axis=0))
cases("append", X, call=lambda f, x: f(x, [1.0, 2.0]))
for name in ("split", "array_split"):
    cases(name, X, indices_or_sections=2, axis=-1)
    cases(name, X, indices_or_sections=[1, 3], axis=1)
    cases(name, X, indices_or_sections=np.array([1, 1, 5]))
cases("array_split", X, indices_or_sections=3, axis=1)
cases("array_split", V, indices_or_sections=6)
cases("vsplit", X, indices_or_sections=3)
cases("hsplit", X, indices_or_sections=[1])
cases("hsplit", V, indices_or_sections=2)
cases("dsplit", T, indices_or_sections=2)
cases("unstack", T)
cases("unstack", T, axis=-1)
cases("tile", X, reps=2)
cases("tile", X, reps=(2, 1, 3))
cases("tile", S, reps=(2, 3))
cases("tile", T, reps=())
cases("repeat", X, repeats=2)
cases("repeat", X, repeats=[1, 0, 2], axis=0)
cases("repeat", X, repeats=3, axis=-1)
cases("repeat", S, repeats=3)
cases("resize", X, new_shape=(2, 3))
cases("resize", X, new_shape=17)
cases("resize", X, new_shape=(0, 2))
cases("flip", T)
cases("flip", T, axis=(0, -1))
cases("flip", T, axis=1)
cases("fliplr", X)
cases("flipud", X)
for k in range(-1, 4):
    cases("rot90", T, k=k, axes=(0, 2))
cases("roll", X, shift=3)
cases("roll", X, shift=(1, -2), axis=(0, 1))
cases("roll", X, shift=2, axis=(0, 1))
cases("roll", X, shift=-5, axis=-1)

PAD_MODES = {
    "constant": [{}, {"constant_values": 2.0}, {"constant_values": ((1, 2), (3, 4))}],
    "edge": [{}],
    "linear_ramp": [{}, {"end_values": ((1.0, 2.0), (3.0, 4.0))}],
    "maximum": [{}, {"stat_length": 2}],
    "minimum": [{}, {"stat_length": ((1, 2), (3, 1))}],
    "mean": [{}, {"stat_length": 2}],
    "median": [{}, {"stat_length": ((1, 2), (3, 1))}],
    "reflect": [{}, {"reflect_type": "odd"}],
    "symmetric": [{}, {"reflect_type": "odd"}],
    "wrap": [{}],
}
for mode, settings in PAD_MODES.items():
    for options in settings:
        cases("pad", X, pad_width=((1, 2), (0, 3)), mode=mode, **options)
    cases("pad", X, pad_width=2, mode=mode)
    cases("pad", V, pad_width=(1, 7), mode=mode)
    cases("pad", X, pad_width={-1: (1, 2)}, mode=mode)
    if mode not in ("maximum", "minimum", "median"):
        cases("pad", Z, pad_width=[[2], [3]], mode=mode)
cases("pad", V, S, call=lambda f, v, s: f(v, 2, constant_values=s))
cases("pad", V, S, call=lambda f, v, s: f(v, (1, 2), "linear_ramp", end_values=s))
cases("pad", EMPTY, pad_width=1)


def _ends(vector: np.ndarray, width: tuple, axis: int, options: dict) -> None:
    vector[: width[0]] = options.get("value", 1.0)
    if width[1]:
        vector[-width[1] :] = 2 * vector[width[0]]


cases("pad", X, pad_width=((2, 1), (0, 2)), mode=_ends, value=3.0)

# --- making arrays -------------------------------------------------------------------------------

for name in ("array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray"):
    cases(name, X)
    cases(name, V, S, call=lambda f, v, s: f([v[0], s, 2.0]))
    cases(name, X, call=lambda f, x: f([[x, x], [x, np.ones((3, 4))]]))
    cases(name, X, dtype=complex)
cases("array", V, call=lambda f, v: f(v, copy=True, ndmin=3))
cases("asarray_chkfinite", X)
cases("copy", X)
cases("copy", X, order="F")
for name in ("zeros_like", "ones_like"):
    cases(name, X)
    cases(name, Z, dtype=float, shape=(2, 2))
cases("empty_like", X, call=lambda f, x: f(x) * 0)
cases("full_like", X, S, call=lambda f, x, s: f(x, s))
cases("full_like", X, fill_value=2.5, shape=(2,), dtype=complex)
for name in ("zeros", "ones", "empty"):
    cases(name, X, call=lambda f, x: f(x.shape, x.dtype) * 0)
cases("full", S, call=lambda f, s: f((2, 3), s))
cases("full", V, call=lambda f, v: f((2, 4), v, dtype=complex))
cases("arange", S, call=lambda f, s: s * f(1.0, 7.0, 2.0))
for name in ("linspace", "logspace", "geomspace"):
    cases(name, S, P[0, 0], num=5)
    cases(name, S, P[0], num=4, endpoint=False)
    cases(name, P[0], P[1], num=3, axis=-1)
    cases(name, P[0], num=3, call=lambda f, a: f(a, 2.0, 6, dtype=complex))
    cases(name, S, call=lambda f, a: f(a, 2, 1))
    cases(name, S, call=lambda f, a: f(1, a, 0))
cases("linspace", S, P[0], retstep=True)
cases("linspace", Z[0], call=lambda f, z: f(z, 2j, 5))
cases("geomspace", Z[0], call=lambda f, z: f(z, 2j, 5))
cases("logspace", S, P[0, 1], call=lambda f, a, b: f(a, 2.0, 4, base=b))
cases("meshgrid", V, W)
cases("meshgrid", V, W, S, indexing="ij", sparse=True)
cases("meshgrid", V, W, copy=False)
cases("meshgrid", V)
cases("vander", V)
cases("vander", V, N=2, increasing=True)
cases("vander", ZV, N=6)
cases("diag", V)
cases("diag", V, k=-1)
cases("diag", X)
cases("diag", X, k=2)
cases("diagflat", X, k=1)
cases("diagflat", S)
cases("diagonal", X)
cases("diagonal", T, offset=-1, axis1=2, axis2=0)
cases("diagonal", X, offset=9)
cases("trace", X)
cases("trace", T, offset=1, axis1=-1, axis2=0)
cases("trace", X, dtype=complex)
for name in ("tril", "triu"):
    cases(name, X)
    cases(name, T, k=-1)
    cases(name, Z, k=2)
    cases(name, V)
cases("fromfunction", S, call=lambda f, s: f(lambda i, j: s * i + j**2, (2, 3)))
cases("ix_", X, call=lambda f, x: x[f([0, 2], [1, 3])])
cases("ix_", X, call=lambda f, x: x[f([0, 2], np.array([True, False, True, False]))])
cases("ix_", V, call=lambda f, v: f((np.abs(v) * 2).astype(int), [1, 2]))
cases("r_", V, S, call=lambda f, v, s: f[v, s, 1.0, 2:5])
cases("r_", X, call=lambda f, x: f["1,2", x, x[:, 0][:, None], x])
cases("r_", V, call=lambda f, v: f["0,2", v, v])
cases("r_", V, call=lambda f, v: f["r", v, v[:1], 0:1:5j])
cases("c_", V, call=lambda f, v: f[v, v * v])
cases("c_", X, V, call=lambda f, x, v: f[x.T, v, [1, 2, 3, 4]])

# --- products ------------------------------------------------------------------------------------

A, B, M = X, Y.T.copy(), T
cases("dot", A, B)
cases("dot", A, V)
cases("dot", V, V + 1)
cases("dot", S, A)
cases("dot", M, B)
cases("dot", M, T.transpose(0, 2, 1).copy())
cases("dot", Z, B)
cases("dot", EMPTY, X[:3, :])
cases("matmul", A, B)
cases("matmul", M, B)
cases("matmul", M, T.transpose(0, 2, 1).copy())
cases("matmul", M[:, None], B)
cases("matmul", V, B)
cases("matmul", A, V)
cases("matmul", V, V + 1)
cases("matmul", Z, Z.T.copy())
cases("matmul", A, B, axes=[(0, 1), (-2, -1), (0, 1)])
cases("matmul", A, B, axes=[(0, 1), (0, 1), (1, 0)])
cases("matmul", A, V, axes=[(-2, -1), (0,), (0,)])
cases("matmul", A, B, dtype=complex)
cases("vecdot", A, Y)
cases("vecdot", Z, Z * 1j + 1)
cases("vecdot", A, Y, axis=0)
cases("vecdot", M, A)
cases("vecdot", A, Y.T.copy(), axes=[1, 0, ()])
cases("matvec", M, V)
cases("matvec", Z, Z)
cases("matvec", A, V, axes=[(0, 1), (0,), (0,)])
cases("vecmat", W, M)
cases("vecmat", Z[:, 0].copy(), Z)
cases("vecmat", W, A, axes=[(0,), (0, 1), (0,)])
cases("inner", A, Y)
cases("inner", T, V)
cases("inner", S, A)
cases("inner", Z, V)
cases("outer", V, W)
cases("outer", A, V)
cases("outer", ZV, W)
cases("outer", S, V)
cases("vdot", A, Y)
cases("vdot", ZV, ZV + 1j)
cases("vdot", S, S)
cases("tensordot", T, T, axes=3)
cases("tensordot", T, X)
cases("tensordot", T, X, axes=([1, 2], [0, 1]))
cases("tensordot", T, X, axes=((-2,), (0,)))
cases("tensordot", A, V, axes=0)
cases("tensordot", A, B, axes=[1, 0])
cases("tensordot", Z, B, axes=1)
cases("kron", A, B)
cases("kron", V, A)
cases("kron", S, A)
cases("kron", Z, V)
cases("cross", T[..., :3], X[:, :3])
cases("cross", W, W[::-1].copy())
cases("cross", T.transpose(1, 0, 2).copy(), Y, axis=0)
cases("cross", T[..., :3], X[:, :3].T.copy(), axisa=-1, axisb=0, axisc=0)
cases("cross", Z[:, :3], X[:, :3])
EINSUM = [
    ("ij,jk->ik", (A, B)),
    ("ij,jk", (A, B)),
    ("ij->ji", (A,)),
    ("ij->", (A,)),
    ("ii->i", (X[:, :3],)),
    ("ii", (X[:, :3],)),
    ("...ij,jk->...ik", (T, B)),
    ("...i,...i", (T, X)),
    ("...,...", (S, X)),
    ("i,j,k->kji", (V, W, V + 1)),
    ("ab,bc,cd->da", (A, B, A)),
    (",ij->ij", (S, A)),
    ("i...->...", (T,)),
    ("ij,ij->ij", (Z, X)),
    ("iij->j", (np.random.default_rng(5).normal(size=(3, 3, 4)),)),
    ("ij,kj->ik", (EMPTY, W[None])),
]
for text, operands in EINSUM:
    cases("einsum", *operands, call=lambda f, *xs, text=text: f(text, *xs))
for optimize in (True, "greedy", "optimal", ["einsum_path", (0, 1), (0, 1)], False):
    cases("einsum", A, B, A, call=lambda f, *xs, o=optimize: f("ij,jk,kl->il", *xs, optimize=o))
cases("einsum", A, B, call=lambda f, a, b: f(a, [0, 1], b, [1, 2], [2, 0]))
cases("einsum", A, B, call=lambda f, a, b: f(a, [0, 1], b, [1, 2]))
cases("einsum", T, B, call=lambda f, a, b: f(a, [Ellipsis, 1], b, [1, 2], [Ellipsis, 2]))
cases("einsum", A, call=lambda f, a: f("ij,ij->i", a, MASK))
cases("einsum", A, B, call=lambda f, a, b: f("ij,jk", a, b, dtype=complex, casting="safe"))
cases("einsum", A, B, call=lambda f, a, b: f(" i j , j k -> i k ", a, b, order="C"))
cases("einsum_path", A, B, call=lambda f, a, b: f("ij,jk->ik", a, b)[0][1:])
cases("convolve", V, W)
cases("correlate", V, W)
for mode in ("full", "same", "valid"):
    for name in ("convolve", "correlate"):
        cases(name, V, W, mode=mode)
        cases(name, W, V, mode=mode)
        cases(name, ZV, W * (1 + 1j), mode=mode)
        cases(name, X.ravel(), V, mode=mode)
        cases(name, V, P[0], mode=mode)
        cases(name, V[:2], V, mode=mode)
