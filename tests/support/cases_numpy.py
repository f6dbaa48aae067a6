"""Calls of numpy: the names that are no functions of arrays, and those refused.

The calls themselves are in cases_numpy_elementwise, _reductions, _shapes, _indexing and _more.
"""

from __future__ import annotations

import io

import numpy as np

from support.cases import Cases

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
P = rng.uniform(0.5, 2.0, size=(3, 4))  # positive
U = rng.uniform(-0.9, 0.9, size=(3, 4))  # inside (-1, 1)
V, W, S = rng.normal(size=4), rng.normal(size=3), np.array(0.7)
T = rng.normal(size=(2, 3, 4))
Z = rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))
ZV = rng.normal(size=4) + 1j * rng.normal(size=4)
EMPTY = np.zeros((0, 3))
MASK = np.array([[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 1]], bool)
HOLES = np.where([[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]], np.nan, rng.normal(size=(3, 4)))
# What has a shape or a branch that depends on values.
EAGER = ("vmap", "stage")

cases = Cases(np, "functorch_like.numpy")

cases.other(
    "a type",
    *[
        "ScalarType",
        "bool",
        "bool_",
        "broadcast",
        "busdaycalendar",
        "byte",
        "bytes_",
        "cdouble",
        "character",
        "clongdouble",
        "complex128",
        "complex256",
        "complex64",
        "complexfloating",
        "csingle",
        "datetime64",
        "double",
        "dtype",
        "finfo",
        "flatiter",
        "flexible",
        "float128",
        "float16",
        "float32",
        "float64",
        "floating",
        "generic",
        "half",
        "iinfo",
        "inexact",
        "int16",
        "int32",
        "int64",
        "int8",
        "int_",
        "intc",
        "integer",
        "intp",
        "long",
        "longdouble",
        "longlong",
        "ndarray",
        "number",
        "object_",
        "record",
        "recarray",
        "short",
        "signedinteger",
        "single",
        "str_",
        "timedelta64",
        "ubyte",
        "ufunc",
        "uint",
        "uint16",
        "uint32",
        "uint64",
        "uint8",
        "uintc",
        "uintp",
        "ulong",
        "ulonglong",
        "unsignedinteger",
        "ushort",
        "void",
        "sctypeDict",
        "typecodes",
    ],
)
cases.other(
    "a constant",
    *["False_", "True_", "e", "euler_gamma", "inf", "little_endian", "nan", "newaxis", "pi"],
)
cases.other(
    "a module",
    *[
        "char",
        "core",
        "ctypeslib",
        "dtypes",
        "emath",
        "exceptions",
        "f2py",
        "fft",
        "lib",
        "linalg",
        "ma",
        "polynomial",
        "random",
        "rec",
        "strings",
        "testing",
        "typing",
    ],
)
cases.other(
    "settings",
    *[
        "errstate",
        "get_include",
        "get_printoptions",
        "getbufsize",
        "geterr",
        "geterrcall",
        "info",
        "printoptions",
        "set_printoptions",
        "setbufsize",
        "seterr",
        "seterrcall",
        "show_config",
        "show_runtime",
        "test",
    ],
)
cases.other(
    "dates",
    *["busday_count", "busday_offset", "datetime_as_string", "datetime_data", "is_busday", "isnat"],
)
cases.other(
    "takes types, names, shapes or Python numbers",
    *[
        "base_repr",
        "binary_repr",
        "broadcast_shapes",
        "diag_indices",
        "format_float_positional",
        "format_float_scientific",
        "isdtype",
        "issubdtype",
        "mintypecode",
        "promote_types",
        "tri",
        "tril_indices",
        "triu_indices",
        "typename",
    ],
)
cases.other("makes constants", *["eye", "identity", "indices", "ndindex", "ogrid", "mgrid"])
cases.other("an index", "index_exp", "s_")
cases.other(
    "reads constants",
    *[
        "from_dlpack",
        "frombuffer",
        "fromfile",
        "fromregex",
        "fromstring",
        "genfromtxt",
        "load",
        "loadtxt",
        "memmap",
    ],
)

cases.refuse(
    "files hold values, and a derivative would be lost; return the array and write it outside",
    *["save", "savetxt", "savez", "savez_compressed"],
)
cases("save", X, call=lambda f, x: f(io.BytesIO(), x))
cases("savez", X, call=lambda f, x: f(io.BytesIO(), x))
cases("savez_compressed", X, call=lambda f, x: f(io.BytesIO(), x))
cases("savetxt", X, call=lambda f, x: f(io.StringIO(), x))
cases.refuse(
    "matrices are a kind of plain array; use two-dimensional arrays, @ and np.block",
    *["asmatrix", "bmat", "matrix"],
)
cases("asmatrix", X)
cases("matrix", X)
cases("bmat", X, call=lambda f, x: f([[x, x]]))
cases.refuse(
    "about memory, which a traced array has not; assignments to its views act as NumPy's do",
    *["isfortran", "may_share_memory", "shares_memory"],
)
cases("may_share_memory", X, call=lambda f, x: f(x, x))
cases("shares_memory", X, call=lambda f, x: f(x, x))
cases("require", X, requirements=["C"])
cases.refuse(
    "iterates over memory; loop over the traced array, or over np.ndindex(x.shape)",
    *["nditer", "nested_iters"],
)
cases("ndenumerate", X, call=lambda f, x: [v for _, v in f(x)])
cases("nditer", X, call=lambda f, x: [v * 1.0 for v in f(x)])
cases("nested_iters", X, call=lambda f, x: f(x, [[0], [1]])[0].operands)
cases("frompyfunc", X, call=lambda f, x: f(lambda v: v * v, 1, 1)(x).astype(float))
cases("fromiter", V, call=lambda f, x: f((v * 2 for v in x), float))
cases("frompyfunc", X, V, call=lambda f, x, v: f(lambda a, b: a * b + 1, 2, 1)(x, v).astype(float))
cases("frompyfunc", V, call=lambda f, v: [r.astype(float) for r in f(np.modf, 1, 2)(v)])
