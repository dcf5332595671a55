"""The calls of one NVML session: every fact by itself, so that a card that fails costs what failed and nothing else."""

from __future__ import annotations

from typing import Any

from mlpack.probe.nvml import NvmlDevice, NvmlSlice

Handles = dict[int, Any]


class Asking:
    """Calls of one session through ``binding`` (pynvml); collects the failures by the name of the fact they cost."""

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

    def perhaps(self, fact: str, call: str, *arguments: Any) -> Any:
        """As ``ask``; "Not Supported" is how a card says that it has no such thing, and is no failure."""
        try:
            return getattr(self.binding, call)(*arguments)
        except (self.binding.NVMLError_NotSupported, self.binding.NVMLError_FunctionNotFound):
            return None
        except self.binding.NVMLError as error:
            self.failures.append((fact, f"NVML: {error} ({call})"))
            return None

    def everything(self) -> tuple[str | None, int | None, tuple[NvmlDevice, ...]]:
        """Driver, highest CUDA, and every card in NVML's order, which is that of the PCI bus."""
        driver = self.ask("gpus.driver", "nvmlSystemGetDriverVersion")
        cuda = self.ask("gpus.cuda", "nvmlSystemGetCudaDriverVersion_v2")
        count = self.ask("gpus.devices", "nvmlDeviceGetCount") or 0
        handles: Handles = {}
        for index in range(count):  # None: fallen off the bus, no permission
            handle = self.ask(f"gpus.devices.{index}", "nvmlDeviceGetHandleByIndex", index)
            if handle is not None:
                handles[index] = handle
        return driver, cuda, tuple(self.device(index, handles) for index in handles)

    def device(self, index: int, handles: Handles) -> NvmlDevice:
        """Card ``index`` of ``handles``."""
        at, handle = f"gpus.devices.{index}", handles[index]
        memory = self.ask(f"{at}.memory_total_bytes", "nvmlDeviceGetMemoryInfo", handle)
        processes = self.ask(f"{at}.processes", "nvmlDeviceGetComputeRunningProcesses", handle)
        ecc = self.perhaps(f"{at}.ecc", "nvmlDeviceGetEccMode", handle)
        persistence = self.perhaps(f"{at}.persistence", "nvmlDeviceGetPersistenceMode", handle)
        clients = self.perhaps(f"{at}.mps_clients", "nvmlDeviceGetMPSComputeRunningProcesses", handle)
        split = self.mig(at, handle)
        return NvmlDevice(
            name=self.ask(f"{at}.name", "nvmlDeviceGetName", handle),
            uuid=self.ask(f"{at}.uuid", "nvmlDeviceGetUUID", handle),
            memory_total_bytes=None if memory is None else memory.total,
            memory_free_bytes=None if memory is None else memory.free,
            capability=self.ask(f"{at}.compute_capability", "nvmlDeviceGetCudaComputeCapability", handle),
            mig=split,
            processes=None if processes is None else len(processes),
            number=index,
            minor=self.perhaps(f"{at}.minor", "nvmlDeviceGetMinorNumber", handle),
            ecc=None if ecc is None else bool(ecc[0]),
            persistence=None if persistence is None else bool(persistence),
            compute_mode=self.perhaps(f"{at}.compute_mode", "nvmlDeviceGetComputeMode", handle),
            mps_clients=None if clients is None else len(clients),
            nvlink=self.nvlink(index, handles),
            pci=self.pci(at, handle),
            levels=self.levels(index, handles),
            slices=self.slices(at, handle) if split else (),
        )

    def pci(self, at: str, handle: Any) -> str | None:
        """Its address on the bus."""
        info = self.perhaps(f"{at}.pci", "nvmlDeviceGetPciInfo", handle)
        bus: str | bytes | None = None if info is None else info.busId
        return bus.decode("ascii", "replace") if isinstance(bus, bytes) else bus

    def levels(self, index: int, handles: Handles) -> tuple[int | None, ...]:
        """What lies between ``index`` and every card; nothing for a card alone."""
        if len(handles) < 2:
            return ()
        fact, call = f"gpus.devices.{index}.paths", "nvmlDeviceGetTopologyCommonAncestor"
        return tuple(
            0 if other == index else self.perhaps(fact, call, handles[index], handle)
            for other, handle in handles.items()
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

    def slices(self, at: str, handle: Any) -> tuple[NvmlSlice, ...]:
        """The MIG instances of a split card; empty places between them are no failure."""
        found = []
        for slot in range(self.perhaps(f"{at}.instances", "nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
            try:
                part = self.binding.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
            except self.binding.NVMLError_NotFound:
                continue
            except self.binding.NVMLError as error:
                where = f"{at}.instances.{slot}"
                self.failures.append((where, f"NVML: {error} (nvmlDeviceGetMigDeviceHandleByIndex)"))
                continue
            found.append(self.slice(f"{at}.instances.{slot}", part))
        return tuple(found)

    def slice(self, at: str, part: Any) -> NvmlSlice:
        """One MIG instance."""
        memory = self.ask(f"{at}.memory_total_bytes", "nvmlDeviceGetMemoryInfo", part)
        attributes = self.perhaps(f"{at}.name", "nvmlDeviceGetAttributes", part)
        return NvmlSlice(
            name=self.perhaps(f"{at}.name", "nvmlDeviceGetName", part),
            uuid=self.ask(f"{at}.uuid", "nvmlDeviceGetUUID", part),
            memory_total_bytes=None if memory is None else memory.total,
            memory_free_bytes=None if memory is None else memory.free,
            slices=None if attributes is None else attributes.computeInstanceSliceCount,
        )

    def nvlink(self, index: int, handles: Handles) -> tuple[int, ...]:
        """Cards that ``index`` reaches over NVLink, directly or through a switch; "Not Supported" is a no."""
        found, fact = [], f"gpus.devices.{index}.nvlink"
        for other, handle in handles.items():
            if other == index:
                continue
            which = self.binding.NVML_P2P_CAPS_INDEX_NVLINK
            status = self.perhaps(fact, "nvmlDeviceGetP2PStatus", handles[index], handle, which)
            if status == self.binding.NVML_P2P_STATUS_OK:
                found.append(other)
        return tuple(found)
