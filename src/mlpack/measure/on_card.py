"""What frameworks say of their memory on cards: their own counters, asked only where they already use a card.

Runs in the measured process: standard library only, nothing newer than Python 3.8 outside annotations. No framework is
imported here, and none is made to open a card: a context that the app does not want would be measured as the app's.
"""

from __future__ import annotations

import sys
from typing import Any


def card_counters() -> dict[str, int] | None:
    """Bytes on all cards of this process: ``used`` by tensors and ``held`` by the allocator, each with its peak since
    the last call; None where no framework uses a card, or tells. TensorFlow does not tell what it holds."""
    found: dict[str, int] = {}
    for ask in (_torch, _tensorflow):
        try:
            said = ask()
        except _refusals():  # without them NVML's number of the whole process is left
            continue
        for key, value in said.items():
            found[key] = found.get(key, 0) + value
    return found or None


def _refusals() -> tuple[type[BaseException], ...]:
    """What frameworks raise where they have no such counter: versions without the function, CUDA's own errors (torch's
    are RuntimeErrors), TensorFlow's OpErrors and the ValueError of devices whose allocator keeps none."""
    errors: Any = getattr(sys.modules.get("tensorflow"), "errors", None)
    of_tensorflow: Any = getattr(errors, "OpError", None)
    known: tuple[type[BaseException], ...] = (AttributeError, KeyError, RuntimeError, TypeError, ValueError)
    return (*known, of_tensorflow) if isinstance(of_tensorflow, type) else known


def _torch() -> dict[str, int]:
    cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return {}
    found = {"used": 0, "used_peak": 0, "held": 0, "held_peak": 0}
    for device in range(cuda.device_count()):
        found["used"] += cuda.memory_allocated(device)
        found["used_peak"] += cuda.max_memory_allocated(device)
        found["held"] += cuda.memory_reserved(device)
        found["held_peak"] += cuda.max_memory_reserved(device)
        cuda.reset_peak_memory_stats(device)
    return found


def _tensorflow() -> dict[str, int]:
    """``get_memory_info``: the bytes in use now, and the most. Called once the app has started: by then a TensorFlow
    that sees a card has opened it."""
    config: Any = getattr(sys.modules.get("tensorflow"), "config", None)
    if config is None or not config.list_physical_devices("GPU"):
        return {}
    found = {"used": 0, "used_peak": 0}
    for index, _ in enumerate(config.list_logical_devices("GPU")):
        told = config.experimental.get_memory_info("GPU:" + str(index))
        found["used"] += told["current"]
        found["used_peak"] += told["peak"]
        config.experimental.reset_memory_stats("GPU:" + str(index))
    return found
