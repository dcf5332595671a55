"""One attribute of an HDF5 file's root: the text that Keras keeps there about the model. Specification 3.0, IV.A.2.m.

Text of fixed length lies in the message itself, text of any length in a global heap (III.E).
"""

from __future__ import annotations

from mlpack.errors import ModelFileError
from mlpack.formats.hdf5_header import File
from mlpack.formats.reading import WHOLE_JSON_BYTES

ATTRIBUTE = 12
MODEL_CONFIG = b"model_config"
TEXT, ANY_LENGTH = 3, 9
MOST_HEAP_OBJECTS = 10_000


def model_config(file: File) -> bytes:
    """The JSON in ``model_config``; empty where there is none, or none that can be read: weights do without it."""
    try:
        for message in file.messages(file.root):
            if message.kind == ATTRIBUTE:
                found = _named(file, message.data)
                if found:
                    return found
    except ModelFileError:  # what is wrong with the weights themselves was said before
        return b""
    return b""


def _named(file: File, data: bytes) -> bytes:
    """The text of the attribute in ``data``, where it is the one that is wanted."""
    if len(data) < 8 or data[0] not in {1, 2, 3}:
        return b""
    version = data[0]
    name_bytes, type_bytes, space_bytes = (int.from_bytes(data[at : at + 2], "little") for at in (2, 4, 6))
    at = 9 if version == 3 else 8
    if data[at : at + name_bytes].rstrip(b"\0") != MODEL_CONFIG:
        return b""
    sizes = (name_bytes, type_bytes, space_bytes)
    kind_at = at + _padded(name_bytes, version)
    kind = data[kind_at] & 0x0F if kind_at < len(data) else -1
    value = data[at + sum(_padded(size, version) for size in sizes) :]
    if kind == TEXT:
        return value.rstrip(b"\0 ")
    return _from_heap(file, value) if kind == ANY_LENGTH else b""


def _padded(size: int, version: int) -> int:
    """Version 1 fills up to eight bytes."""
    return -(-size // 8) * 8 if version == 1 else size


def _from_heap(file: File, value: bytes) -> bytes:
    """The object that ``value`` points to: length, address of the heap, number in it."""
    length, place = int.from_bytes(value[:4], "little"), file.address(value, 4)
    number = int.from_bytes(value[4 + file.offset_bytes : 8 + file.offset_bytes], "little")
    if length > WHOLE_JSON_BYTES or file.at(place, 4) != b"GCOL":
        return b""
    head = 8 + file.length_bytes
    end = place + file.length(file.at(place, head), 8)
    at = place + head
    for _ in range(MOST_HEAP_OBJECTS):
        if at + head > end:
            break
        one = file.at(at, head)
        index, size = int.from_bytes(one[:2], "little"), file.length(one, 8)
        if index == number:
            return file.at(at + head, min(length, size))
        if index == 0:
            break
        at += head + -(-size // 8) * 8
    return b""
