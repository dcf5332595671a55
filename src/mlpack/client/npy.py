"""Reads NumPy's .npy (format 1 to 3) with the standard library: numbers and truth values, never Python objects."""

from __future__ import annotations

import ast
import re
import struct
import sys
from array import array
from dataclasses import dataclass
from functools import lru_cache
from math import prod

MAGIC = b"\x93NUMPY"
CODES = {
    "b1": "B",
    "i1": "b",
    "u1": "B",
    "i2": "h",
    "u2": "H",
    "i4": "i",
    "u4": "I",
    "i8": "q",
    "u8": "Q",
    "f4": "f",
    "f8": "d",
}
"""NumPy's dtype -> the code of Python's ``array``; f2 is read apart."""
MAX_ELEMENTS = 64 * 1024**2
_DTYPE = re.compile(r"([<>|=])([biuf]\d+)")


@dataclass(frozen=True)
class NumberArray:
    """``values`` in the order of the file; ``fortran``: the first index runs fastest."""

    shape: tuple[int, ...]
    dtype: str
    fortran: bool
    values: array[float] | array[int]


@lru_cache(maxsize=8)
def read_npy(data: bytes) -> NumberArray:
    """The array in ``data``. Raises ValueError saying what is wrong with it."""
    if not data.startswith(MAGIC) or len(data) < 12:
        raise ValueError("not a .npy file")
    wide = data[6] > 1
    (size,) = struct.unpack_from("<I" if wide else "<H", data, 8)
    start = (12 if wide else 10) + size
    try:
        header = ast.literal_eval(data[start - size : start].decode("utf-8"))
        dtype, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
        match = _DTYPE.fullmatch(dtype)
        sizes = tuple(shape)
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("a .npy file with a damaged header") from error
    if match is None or (match[2] not in CODES and match[2] != "f2"):
        raise ValueError(f"an array of {dtype!r}, which is not supported")
    if not all(type(length) is int and length >= 0 for length in sizes) or prod(sizes) > MAX_ELEMENTS:
        raise ValueError("an array of an impossible shape")
    return NumberArray(sizes, dtype, bool(fortran) and len(sizes) > 1, _values(data[start:], match, prod(sizes)))


def _values(body: bytes, dtype: re.Match[str], count: int) -> array[float] | array[int]:
    order, kind = dtype[1], dtype[2]
    if len(body) != count * int(kind[1:]):
        raise ValueError(f"an array of {count} elements in {len(body)} bytes")
    if kind == "f2":
        return array("d", struct.unpack(f"{'>' if order == '>' else '<'}{count}e", body))
    values: array[float] | array[int] = array(CODES[kind])
    values.frombytes(body)
    if (order == ">" and sys.byteorder == "little") or (order == "<" and sys.byteorder == "big"):
        values.byteswap()
    return values
