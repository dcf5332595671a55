"""CDI: the files by which an engine hands devices to containers, and the device names in them.

https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpack.probe.json_fields import parse_object, text_field
from mlpack.probe.reading import names_in, read_text


def cdi_folders(info: str) -> tuple[str, ...]:
    """Where the engine that gave ``info`` looks for specifications; none when CDI is off or unknown to it."""
    folders = parse_object(info).get("CDISpecDirs")
    return tuple(folder for folder in folders if isinstance(folder, str)) if isinstance(folders, list) else ()


def read_cdi(folder: Path) -> tuple[str, ...]:
    """Device names in the specifications (JSON or YAML) in ``folder``."""
    files = [folder / name for name in names_in(folder) if name.endswith((".json", ".yaml"))]
    return tuple(name for file in files for name in parse_cdi(_value(file.suffix, read_text(file) or "")))


def parse_cdi(value: Any) -> tuple[str, ...]:
    """Device names, ``nvidia.com/gpu=0``, in one specification; none when it is something else."""
    kind = text_field(value, "kind")
    devices = value.get("devices") if isinstance(value, dict) else None
    names = [text_field(device, "name") for device in devices] if isinstance(devices, list) else []
    return tuple(f"{kind}={name}" for name in names if kind and name)


def _value(suffix: str, text: str) -> Any:
    if suffix == ".json":
        return parse_object(text)
    import yaml  # only where there is such a file: nvidia-ctk writes YAML

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
