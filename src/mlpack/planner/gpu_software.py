"""What a project's packages bring for a card: CUDA's version in the wheel, and whether driver and card can run it.

Versions: each wheel's own metadata (nvidia-cuda-runtime or cuda-toolkit it requires). Drivers: NVIDIA, CUDA
Compatibility, minor version compatibility (11.x from 450, 12.x from 525, 13.x from 580). Cards: CUDA's release notes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlpack.host import GpuSetFacts
from mlpack.runtimes.libraries import distribution, distributions

Version = tuple[int, int]
TORCH_CUDA: tuple[tuple[Version, Version], ...] = (
    ((2, 11), (13, 0)),
    ((2, 8), (12, 8)),
    ((2, 7), (12, 6)),
    ((2, 5), (12, 4)),
    ((2, 1), (12, 1)),
    ((2, 0), (11, 7)),
)
"""From so much torch on, the CUDA of its usual wheel; newest first."""
ONNXRUNTIME_CUDA: tuple[tuple[Version, Version], ...] = (((1, 27), (13, 0)), ((1, 19), (12, 0)), ((1, 0), (11, 8)))
"""1.26 asks for CUDA 12, 1.27 for 13 (their metadata)."""
TENSORFLOW_CUDA: tuple[tuple[Version, Version], ...] = (((2, 15), (12, 2)), ((2, 0), (11, 8)))
LLAMA_IMAGE_CUDA: Version = (12, 4)
"""llama.cpp's server-cuda image (its .devops/cuda.Dockerfile)."""
DRIVER_OF_MAJOR = {11: 450, 12: 525, 13: 580}
"""The oldest driver branch on which programs of that CUDA major version run."""
CARD_FLOORS: tuple[tuple[Version, Version, str], ...] = (
    ((12, 0), (12, 8), "Blackwell"),
    ((10, 3), (12, 9), "Blackwell Ultra"),
    ((10, 0), (12, 8), "Blackwell"),
    ((9, 0), (11, 8), "Hopper"),
    ((8, 9), (11, 8), "Ada"),
)
"""Cards of at least this capability want at least this CUDA; the highest first."""
OLDEST_FOR_13: Version = (7, 5)
"""CUDA 13 dropped Maxwell, Pascal and Volta."""
_PIN = re.compile(r"(===?|~=|<=|<)\s*v?(\d+)\.(\d+)(?:\.\d+)*(?:\+(\w+))?")


@dataclass(frozen=True)
class Wheel:
    """The package that computes on the card, and the CUDA that it brings. ``cpu_only``: why it cannot."""

    package: str
    cuda: Version
    cpu_only: str | None = None


def wheel_of(runtimes: Sequence[str], requirements: Sequence[str]) -> Wheel | None:
    """What ``requirements`` install for the card; None where nothing tells (an image of the user's own, say)."""
    named = distributions(requirements)
    if "tensorflow" in runtimes and "tensorflow-cpu" in named:
        return Wheel("tensorflow-cpu", (0, 0), "tensorflow-cpu has no CUDA: require tensorflow[and-cuda]")
    if "onnxruntime" in runtimes and "onnxruntime" in named and "onnxruntime-gpu" not in named:
        hint = "the package onnxruntime has no CUDA: require onnxruntime-gpu[cuda,cudnn]"
        return Wheel("onnxruntime", (0, 0), hint)
    if {"torch", "transformers"} & set(runtimes) and named:
        return _torch(requirements)
    if "onnxruntime" in runtimes and "onnxruntime-gpu" in named:
        return Wheel("onnxruntime-gpu", _of(ONNXRUNTIME_CUDA, bound(requirements, "onnxruntime-gpu")[0]))
    if "tensorflow" in runtimes and "tensorflow" in named:
        return Wheel("tensorflow", _of(TENSORFLOW_CUDA, bound(requirements, "tensorflow")[0]))
    return None


def too_old(wheel_name: str, cuda: Version, capability: Version, gpus: GpuSetFacts) -> str | None:
    """Why the wheel's CUDA does not run on this driver or card, with what would; None where it does."""
    name = f"{wheel_name} brings CUDA {cuda[0]}.{cuda[1]}"
    top = cuda_of(gpus)
    highest = top[0] if top else None
    if highest is not None and highest < cuda[0]:
        driver = f"driver {gpus.driver}" if gpus.driver else "the driver"
        return (
            f"{name}, {driver} ends at CUDA {gpus.cuda}: install driver {DRIVER_OF_MAJOR.get(cuda[0], 580)} or newer, "
            f"or a build for CUDA {highest}"
        )
    if cuda >= (13, 0) and capability < OLDEST_FOR_13:
        return f"{name}, which no longer knows cards of capability {_words(capability)}: a build for CUDA 12 does"
    for least, wanted, family in CARD_FLOORS:
        if capability >= least:
            if cuda < wanted:
                return f"{name}, {family} cards want CUDA {_words(wanted)} or newer: use a newer {wheel_name}"
            break
    return None


def cuda_of(gpus: GpuSetFacts) -> Version | None:
    """The highest CUDA that the driver knows; None where nothing tells."""
    major, _, minor = (gpus.cuda or "").partition(".")
    return (int(major), int(minor or 0)) if major.isdecimal() and (minor or "0").isdecimal() else None


def _torch(requirements: Sequence[str]) -> Wheel:
    version, local = bound(requirements, "torch")
    if local == "cpu":
        return Wheel("torch", (0, 0), "torch is pinned to a +cpu build, which has no CUDA")
    stated = re.fullmatch(r"cu(\d\d)(\d+)", local or "")
    if stated:
        return Wheel("torch", (int(stated[1]), int(stated[2])))
    return Wheel("torch", _of(TORCH_CUDA, version))


def _of(table: tuple[tuple[Version, Version], ...], version: Version | None) -> Version:
    """The CUDA of ``version``; None, no upper bound, is the newest."""
    if version is None:
        return table[0][1]
    return next((cuda for least, cuda in table if version >= least), table[-1][1])


def bound(requirements: Sequence[str], package: str) -> tuple[Version | None, str | None]:
    """The highest version that is admitted, and its local label (``cu126`` of ``==2.9.1+cu126``)."""
    for line in requirements:
        if distribution(line) == package:
            match = _PIN.search(line.split(";", maxsplit=1)[0].split("#", maxsplit=1)[0])
            if match:
                operator, major, minor, local = match.groups()
                below = operator == "<" and int(minor) > 0
                return (int(major), int(minor) - (1 if below else 0)), local
    return None, None


def _words(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
