"""NVIDIA cards as NVML reports them. The binding is imported only where its library is found: it is slow to load."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, NamedTuple

LIBRARY = "libnvidia-ml.so.1"


class NvmlDevice(NamedTuple):
    """One card; None is what NVML would not tell."""

    name: str | None = None
    uuid: str | None = None
    memory_total_bytes: int | None = None
    memory_free_bytes: int | None = None
    capability: tuple[int, int] | None = None
    mig: bool | None = None
    processes: int | None = None


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
    if not _library_loads():
        return NvmlAnswer()
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError_LibraryNotFound:
        return NvmlAnswer()
    except pynvml.NVMLError as error:
        return NvmlAnswer(library=True, failures=(("gpus", f"NVML: {error}"),))
    try:
        return _Asking(pynvml).everything()
    finally:
        with suppress(pynvml.NVMLError):  # all answers are in
            pynvml.nvmlShutdown()


def _library_loads() -> bool:
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


class _Asking:
    """Calls of one session; collects the failures by the name of the fact they cost."""

    def __init__(self, binding: Any) -> None:
        self.binding = binding
        self.failures: list[tuple[str, str]] = []

    def ask(self, fact: str, call: str, *arguments: Any) -> Any:
        """What NVML's function ``call`` returns; None, and noted, when it fails or an old driver lacks it."""
        try:
            return getattr(self.binding, call)(*arguments)
        except self.binding.NVMLError as error:
            self.failures.append((fact, f"NVML: {error} ({call})"))
        except UnicodeDecodeError:
            self.failures.append((fact, f"NVML: the text of {call} is not UTF-8"))
        return None

    def everything(self) -> NvmlAnswer:
        """Driver and every card, in NVML's order, which is that of the PCI bus."""
        driver = self.ask("gpus.driver", "nvmlSystemGetDriverVersion")
        cuda = self.ask("gpus.cuda", "nvmlSystemGetCudaDriverVersion_v2")
        count = self.ask("gpus.devices", "nvmlDeviceGetCount") or 0
        devices = tuple(device for index in range(count) if (device := self.device(index)) is not None)
        return NvmlAnswer(True, driver, cuda, devices, tuple(self.failures))

    def device(self, index: int) -> NvmlDevice | None:
        """Card ``index``; None when NVML does not hand it out (fallen off the bus, no permission)."""
        at = f"gpus.devices.{index}"
        handle = self.ask(at, "nvmlDeviceGetHandleByIndex", index)
        if handle is None:
            return None
        memory = self.ask(f"{at}.memory_total_bytes", "nvmlDeviceGetMemoryInfo", handle)
        processes = self.ask(f"{at}.processes", "nvmlDeviceGetComputeRunningProcesses", handle)
        return NvmlDevice(
            name=self.ask(f"{at}.name", "nvmlDeviceGetName", handle),
            uuid=self.ask(f"{at}.uuid", "nvmlDeviceGetUUID", handle),
            memory_total_bytes=None if memory is None else memory.total,
            memory_free_bytes=None if memory is None else memory.free,
            capability=self.ask(f"{at}.compute_capability", "nvmlDeviceGetCudaComputeCapability", handle),
            mig=self.mig(at, handle),
            processes=None if processes is None else len(processes),
        )

    def mig(self, at: str, handle: Any) -> bool | None:
        """Whether the card is split now. "Not Supported" is how cards without MIG say no."""
        try:
            return bool(self.binding.nvmlDeviceGetMigMode(handle)[0])
        except (self.binding.NVMLError_NotSupported, self.binding.NVMLError_FunctionNotFound):
            return False
        except self.binding.NVMLError as error:
            self.failures.append((f"{at}.mig", f"NVML: {error} (nvmlDeviceGetMigMode)"))
            return None
