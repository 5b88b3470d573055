"""numpy arrays as values of Ingot and back, without copying their elements (strings excepted)."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _native
from ._errors import Error

try:
    import ml_dtypes
except ImportError:  # then bfloat16 is uint16, as onnxruntime has it, and the small types are uint8
    ml_dtypes = None

STRING = 8
# ONNX's number of an element type -> numpy's, and onnxruntime's name of it.
_PLAIN = {
    1: ("float32", "float"), 2: ("uint8", "uint8"), 3: ("int8", "int8"), 4: ("uint16", "uint16"),
    5: ("int16", "int16"), 6: ("int32", "int32"), 7: ("int64", "int64"), 9: ("bool", "bool"),
    10: ("float16", "float16"), 11: ("float64", "double"), 12: ("uint32", "uint32"), 13: ("uint64", "uint64"),
    14: ("complex64", "complex64"), 15: ("complex128", "complex128"),
}
_SMALL = {16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz",
          24: "float8_e8m0fnu"}
_ORT_SMALL = {16: "bfloat16", 17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz",
              24: "float8e8m0"}
# Two or four in a byte: numpy has no such elements.
_PACKED = {21: "uint4", 22: "int4", 23: "float4e2m1", 25: "uint2", 26: "int2"}

_DTYPES = {number: np.dtype(name) for number, (name, _) in _PLAIN.items()}
_STORED = dict(_DTYPES)  # as numpy's own types, for memory that is looked at
for _number, _name in _SMALL.items():
    _STORED[_number] = np.dtype(np.uint16 if _number == 16 else np.uint8)
    _DTYPES[_number] = np.dtype(getattr(ml_dtypes, _name)) if hasattr(ml_dtypes, _name) else _STORED[_number]
_NUMBERS = {dtype: number for number, dtype in reversed(list(_DTYPES.items()))}
ORT_NAMES = {**{n: name for n, (_, name) in _PLAIN.items()}, **_ORT_SMALL, **_PACKED, STRING: "string"}


def numpy_dtype(number: int) -> np.dtype:
    """The type of arrays that hold such elements."""
    if number == STRING:
        return np.dtype(object)
    if number not in _DTYPES:
        raise Error(f"[python] numpy has no element type for {_native.dtype_name(number) or number}", "UNIMPLEMENTED")
    return _DTYPES[number]


def number_of(dtype: Any) -> int:
    """ONNX's number of a numpy type."""
    dtype = np.dtype(dtype)
    if dtype.kind in "OUST":
        return STRING
    number = _NUMBERS.get(dtype)
    if number is None:
        raise Error(f"[python] arrays of {dtype} have no counterpart in ONNX: convert it with .astype()",
                    "INVALID_ARGUMENT")
    return number


def to_value(array: Any, wanted: int | None = None, writable: bool = False) -> _native.Value:
    """A value over the array's memory if it is contiguous and aligned, else over a copy's.

    wanted: the element type that the model declares. It matters for those that numpy itself lacks: an array of uint16
    is taken as bfloat16, one of uint8 as a float8. writable: a result will be written there, so it must not be a copy.
    """
    if isinstance(array, _native.Value):
        return array
    if wanted == 0:  # no tensor: a sequence
        return _native.Value.sequence([to_value(a) for a in array])
    array = np.asarray(array)
    if array.dtype.kind in "OUST":
        texts = [t if isinstance(t, (str, bytes)) else str(t) for t in array.reshape(-1).tolist()]
        return _native.Value.of_strings(texts, array.shape)
    flags = array.flags
    if not (flags.c_contiguous and flags.aligned and array.dtype.isnative):
        if writable:
            raise Error("[python] results are written into contiguous, aligned arrays only", "INVALID_ARGUMENT")
        array = np.require(array, array.dtype.newbyteorder("="), "CA").reshape(array.shape)
    if writable and not flags.writeable:
        raise Error("[python] results cannot be written into a read-only array", "INVALID_ARGUMENT")
    number = number_of(array.dtype)
    if wanted in _SMALL and _STORED[wanted] == array.dtype:
        number = wanted
    address = array.__array_interface__["data"][0] if number in _PLAIN else array.ctypes.data
    return _native.Value.of_memory(address, array.nbytes, number, array.shape, array)


class _Memory:
    """Shows a value's memory to numpy and keeps it."""

    __slots__ = ("__array_interface__", "value")

    def __init__(self, value: _native.Value, stored: np.dtype):
        self.value = value
        self.__array_interface__ = {"data": (value.address, False), "typestr": stored.str, "shape": value.shape,
                                    "version": 3}


def to_numpy(value: _native.Value) -> Any:
    """An array over the value's memory, which lives as long as the array does; of a sequence a list of them."""
    elements = value.elements()
    if elements is not None:
        return [to_numpy(e) for e in elements]
    number = value.dtype
    if number == STRING:
        out = np.empty(value.shape, dtype=object)
        out.reshape(-1)[:] = value.strings()
        return out
    dtype = numpy_dtype(number)
    array = np.asarray(_Memory(value, _STORED[number]))
    return array if array.dtype == dtype else array.view(dtype)
