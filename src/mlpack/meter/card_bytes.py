"""What NVML says that processes hold on cards: context, allocators and libraries together."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from mlpack.probe.nvml import library_loads


def card_bytes(pids: Collection[int]) -> int | None:
    """Bytes of ``pids`` on all cards; None where there is no NVML, or it names none of them (a driver in another pid
    namespace, Windows' driver model, MIG without rights). Raises nothing."""
    if not library_loads():
        return None
    import pynvml

    found = None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            with suppress(pynvml.NVMLError):  # a lost card says nothing about the others
                for one in pynvml.nvmlDeviceGetComputeRunningProcesses(pynvml.nvmlDeviceGetHandleByIndex(index)):
                    if one.pid in pids and one.usedGpuMemory is not None:
                        found = (found or 0) + one.usedGpuMemory
    except pynvml.NVMLError:
        return None
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return found
