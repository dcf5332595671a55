"""Tensors of PyTorch's pickles: what ``torch.save`` and ``torch.jit.save`` wrote of them, noted and never rebuilt."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any, NamedTuple

from mlpack.formats.pickle_values import Called, Named, Visitor
from mlpack.model import DtypeShare

STORAGES = {  # torch.storage's classes -> dtype, bytes per element
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
    "ComplexDoubleStorage": ("C128", 16),
    "ComplexFloatStorage": ("C64", 8),
    "QUInt8Storage": ("U8", 1),
    "QInt8Storage": ("I8", 1),
    "QInt32Storage": ("I32", 4),
    "UntypedStorage": ("U8", 1),
}
DTYPES = {  # torch.<name> of tensors in untyped storage
    "float64": ("F64", 8),
    "float32": ("F32", 4),
    "float16": ("F16", 2),
    "bfloat16": ("BF16", 2),
    "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e5m2": ("F8_E5M2", 1),
    "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1),
    "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1),
    "float8_e8m0fnu": ("F8_E8M0", 1),
    "uint8": ("U8", 1),
    "uint16": ("U16", 2),
    "uint32": ("U32", 4),
    "uint64": ("U64", 8),
    "int8": ("I8", 1),
    "int16": ("I16", 2),
    "int32": ("I32", 4),
    "int64": ("I64", 8),
    "bool": ("BOOL", 1),
    "complex64": ("C64", 8),
    "complex128": ("C128", 16),
}
REBUILDERS = frozenset({"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor"})
OPTIMISER_KEYS = frozenset({"optimizer", "optimizer_states", "optimizer_state_dict", "optimizers", "optim"})
LARGEST = 2**62
MOST_DIMENSIONS = 64
CONVOLUTION_DIMENSIONS = 4


class Storage(NamedTuple):
    """One block of bytes in the file: its ``key`` there, dtype, width and number of elements."""

    key: str
    dtype: str
    width: int
    elements: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.width * self.elements


class Tensor(NamedTuple):
    """A view of a storage. Two that say the same are one (tied weights)."""

    key: str
    offset: int
    shape: tuple[int, ...]
    dtype: str


class Tensors(Visitor):
    """Collects storages and tensors; ``strange`` counts what looks like one and is not understood."""

    def __init__(self) -> None:
        self.storages: dict[str, Storage] = {}
        self.tensors: set[Tensor] = set()
        self.strange = 0

    def persistent(self, identity: Any) -> Any:
        """('storage', class, key, device, elements), and in the oldest form a view's place behind it."""
        match identity:
            case ("storage", Named(_, name), str(key), _, int(elements), *_) if 0 <= elements < LARGEST:
                if name not in STORAGES:
                    self.strange += 1
                    return None
                storage = Storage(key, *STORAGES[name], elements)
                known = self.storages.setdefault(key, storage)
                return storage if storage.size == known.size else known
        self.strange += 1
        return None

    def called(self, call: Called) -> Any:
        """A tensor, where one of torch's functions rebuilds one from a storage."""
        if call.what.module != "torch._utils" or call.what.name not in REBUILDERS:
            return call
        match call.arguments:
            case (Storage() as storage, int(offset), tuple(shape), *rest):
                if _sound(shape) and 0 <= offset < LARGEST:
                    dtype = _stated(rest) if call.what.name == "_rebuild_tensor_v3" else storage.dtype
                    self.tensors.add(Tensor(storage.key, offset, shape, dtype or storage.dtype))
                    return None
        self.strange += 1
        return None

    def shares(self) -> tuple[DtypeShare, ...]:
        """Parameters of all distinct tensors, and bytes of all storages, by dtype.

        A storage belongs to the dtype of its first tensor; one that no tensor views has bytes but no parameters.
        """
        dtypes = {tensor.key: tensor.dtype for tensor in sorted(self.tensors, key=lambda one: (one.offset, one.dtype))}
        found = [DtypeShare(dtype=one.dtype, parameters=prod(one.shape), bytes=0) for one in self.tensors]
        for storage in self.storages.values():
            found.append(DtypeShare(dtype=dtypes.get(storage.key, storage.dtype), parameters=0, bytes=storage.size))
        return tuple(found)

    def convolved(self) -> int:
        """Parameters in tensors of four or more dimensions."""
        return sum(prod(one.shape) for one in self.tensors if len(one.shape) >= CONVOLUTION_DIMENSIONS)

    def outside(self) -> Iterable[Tensor]:
        """Tensors with more elements than their storage has: a damaged file (expanded views are saved as such too)."""
        for one in self.tensors:
            if one.offset > self.storages[one.key].size:
                yield one


def optimiser_in(value: Any) -> bool:
    """The saved object is a dict that holds an optimiser's state beside the weights."""
    return isinstance(value, dict) and not OPTIMISER_KEYS.isdisjoint(value)


def _sound(shape: tuple[Any, ...]) -> bool:
    return len(shape) <= MOST_DIMENSIONS and all(type(n) is int and 0 <= n < LARGEST for n in shape)


def _stated(rest: list[Any]) -> str | None:
    """The dtype among the arguments of ``_rebuild_tensor_v3``."""
    for value in rest:
        if isinstance(value, Named) and value.module == "torch" and value.name in DTYPES:
            return DTYPES[value.name][0]
    return None
