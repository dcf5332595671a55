"""NVIDIA cards as NVML reports them. The binding is imported only where its library is found: it is slow to load."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import NamedTuple

LIBRARY = "libnvidia-ml.so.1"


class NvmlSlice(NamedTuple):
    """One MIG instance; None is what NVML would not tell."""

    name: str | None = None
    uuid: str | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    slices: int | None = None
    """Compute slices of the card that it has."""


class NvmlDevice(NamedTuple):
    """One card; None is what NVML would not tell."""

    name: str | None = None
    uuid: str | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    capability: tuple[int, int] | None = None
    mig: bool | None = None
    processes: int | None = None
    number: int | None = None
    """As NVML counts; a lost card leaves a gap."""
    minor: int | None = None
    ecc: bool | None = None
    persistence: bool | None = None
    compute_mode: int | None = None
    mps_clients: int | None = None
    nvlink: tuple[int, ...] = ()
    """NVML's indices of the cards reached over NVLink."""
    pci: str | None = None
    levels: tuple[int | None, ...] = ()
    """nvmlGpuTopologyLevel_t to every card in order, itself included; empty for a lone card."""
    slices: tuple[NvmlSlice, ...] = ()


class NvmlAnswer(NamedTuple):
    """All that NVML said. ``failures`` are (fact, NVML's own message)."""

    library: bool = False
    """The library was found; without it there is nothing to ask, which is no failure."""
    driver: str | None = None
    cuda: int | None = None
    """1000 * major + 10 * minor, as NVML counts."""
    devices: tuple[NvmlDevice, ...] = ()
    failures: tuple[tuple[str, str], ...] = ()


def read_nvml() -> NvmlAnswer:
    """Ask NVML about driver and cards. Raises nothing: each failing call costs its own fact only."""
    if not library_loads():
        return NvmlAnswer()
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return NvmlAnswer()
    except pynvml.NVMLError as error:
        return NvmlAnswer(library=True, failures=(("gpus", f"NVML: {error}"),))
    from mlpack.probe.nvml_asking import Asking

    try:
        asking = Asking(pynvml)
        driver, cuda, devices = asking.everything()
        return NvmlAnswer(True, driver, cuda, devices, tuple(asking.failures))
    finally:
        with suppress(pynvml.NVMLError):  # all answers are in
            pynvml.nvmlShutdown()


def library_loads() -> bool:
    """Whether the loader finds NVML: the same search as the binding's, without its 40 ms import."""
    if sys.platform == "win32":
        return True
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True
