"""What the image of a service on cards is built on: Python's slim image, or NVIDIA's where wheels do not bring all.

Tags of nvidia/cuda are `<CUDA>-cudnn-<runtime or devel>-<system>`, with a number behind `cudnn` up to 12.3 only; those
below are in public Dockerfiles (13.0.2, 12.9.1, 12.8.1 and 12.6.3 on Ubuntu 24.04). None could be pulled here. Ubuntu
24.04 it has to be: the project's Python is copied from its official Debian 12 image, whose libc 22.04 is older than.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mlpack.errors import DoesNotFit, SpecError
from mlpack.host import GpuSetFacts
from mlpack.plan import ImageBase
from mlpack.planner.decide import text
from mlpack.planner.gpu_software import Version, Wheel, bound, cuda_of, too_old
from mlpack.runtimes.libraries import distribution
from mlpack.spec import Build

SLIM = "slim"
IMAGES: tuple[tuple[Version, str], ...] = (
    ((13, 0), "13.0.2"),
    ((12, 9), "12.9.1"),
    ((12, 8), "12.8.1"),
    ((12, 6), "12.6.3"),
)
"""CUDA -> its image's own version, newest first."""
OLDER = {12: "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04", 11: "nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04"}
"""For a Dockerfile of the user's own, where the driver or the wheel wants less."""
COMPILED_AT_INSTALL = frozenset({"flash-attn", "apex", "mamba-ssm", "causal-conv1d", "pytorch3d", "detectron2"})
COMPILED_AT_USE = frozenset({"deepspeed", "pycuda"})
"""Their CUDA code is compiled by the running program, which needs the compiler too."""
NEED_LIBRARIES: dict[str, tuple[frozenset[str], str, Version]] = {
    "onnxruntime-gpu": (frozenset({"cuda", "cudnn"}), "onnxruntime-gpu[cuda,cudnn]", (1, 19)),
    "tensorflow": (frozenset({"and-cuda"}), "tensorflow[and-cuda]", (2, 18)),
    "cupy-cuda12x": (frozenset({"ctk"}), "cupy-cuda12x[ctk]", (0, 0)),
    "cupy-cuda13x": (frozenset({"ctk"}), "cupy-cuda13x[ctk]", (0, 0)),
}
"""Packages whose CUDA libraries come with these extras only -> extras, their spelling, and the first version that works
with cuDNN 9, which the images have (their release notes)."""
ENOUGH = "CUDA's libraries come with the wheels; only the driver is the host's, so the slim base is enough"
_EXTRAS = re.compile(r"^[^\[;@#]*\[([^\]]*)\]")


def image_base(
    name: str, build: Build, requirements: Sequence[str], *, wheel: Wheel | None, capability: Version, gpus: GpuSetFacts
) -> ImageBase:
    """The base for service ``name``'s image, with the reason. ``capability``: of the newest card.

    Raises DoesNotFit where NVIDIA's image of the CUDA that is wanted does not start on this driver, or is too old for
    the card; SpecError where the packages want libraries that no image here has.
    """
    where = f"services.{name}.build"
    if build.cuda_base is False:
        return ImageBase(image=text(SLIM, "user", "build.cuda_base: false"))
    compiled = tuple(sorted(_named(requirements, COMPILED_AT_INSTALL)))
    used = sorted(_named(requirements, COMPILED_AT_USE))
    reasons = [f"{one} compiles CUDA code as it runs" for one in used]
    if compiled:
        reasons.append(f"{', '.join(compiled)}: compiled at install with CUDA's compiler, which no wheel brings")
    reasons += [_without_libraries(line, where) for line in requirements if _lacks(line)]
    if build.conda is not None:
        reasons.append("a conda environment looks for CUDA's libraries outside its wheels")
    if build.cuda_base:
        reasons.append("build.cuda_base: true")
    if not reasons:
        return ImageBase(image=text(SLIM, "calculated", ENOUGH))
    cuda, version = _image(name, wheel.cuda if wheel else _cupy(requirements), gpus, where)
    problem = too_old(f"nvidia/cuda:{version}", cuda, capability, gpus)
    if problem:
        raise DoesNotFit(f"{name}: {reasons[0]}, and {problem}", where=where, hint="use `device: cpu` until then")
    own_code = bool(compiled or build.cuda_base)
    devel = f"nvidia/cuda:{version}-cudnn-devel-ubuntu24.04"
    runtime = devel if used else f"nvidia/cuda:{version}-cudnn-runtime-ubuntu24.04"
    because = f"{'; '.join(reasons)}; CUDA {_words(cuda)} as the driver ({gpus.cuda or 'unknown'}) and the wheels allow"
    told = "nvcc and headers, in the building stage only"
    return ImageBase(
        image=text(runtime, "user" if build.cuda_base else "calculated", because),
        builder=text(devel, "calculated", told) if own_code and not used else None,
        compiled=compiled,
    )


def _image(name: str, wanted: Version | None, gpus: GpuSetFacts, where: str) -> tuple[Version, str]:
    """The image nearest to ``wanted``: of its major version, not above it where there is a choice, never above what the
    driver knows. The images check that themselves (NVIDIA_REQUIRE_CUDA), and the container does not start."""
    top = cuda_of(gpus)
    able = [one for one in IMAGES if (wanted is None or one[0][0] == wanted[0]) and (top is None or one[0] <= top)]
    if not able:
        least = IMAGES[-1][0] if wanted is None or wanted[0] < 13 else (13, 0)
        why = (
            f"the driver ends at CUDA {gpus.cuda}"
            if wanted is None or wanted[0] >= 12
            else f"the wheels are for CUDA {_words(wanted)}"
        )
        older = OLDER.get(min(wanted[0] if wanted else 12, top[0] if top else 12), OLDER[12])
        raise DoesNotFit(
            f"{name} needs one of NVIDIA's images, which begin with CUDA {_words(least)} on the system that "
            f"the project's Python needs, and {why}",
            where=where,
            hint=f"a newer driver, newer wheels, or a Dockerfile of your own (build.dockerfile) on {older}",
        )
    return next((one for one in able if wanted is None or one[0] <= wanted), able[-1])


def _named(requirements: Iterable[str], packages: frozenset[str]) -> set[str]:
    return {name for line in requirements if (name := distribution(line)) in packages and name is not None}


def _lacks(line: str) -> bool:
    known = NEED_LIBRARIES.get(distribution(line) or "")
    if known is None:
        return False
    found = _EXTRAS.match(line)
    return not known[0] <= ({one.strip() for one in found.group(1).split(",")} if found else set())


def _without_libraries(line: str, where: str) -> str:
    """The reason; raises SpecError for versions that want another cuDNN than the images have."""
    name = distribution(line) or ""
    _, spelling, least = NEED_LIBRARIES[name]
    version = bound([line], name)[0]
    if version is not None and version < least:
        what = f"{name} alone finds no CUDA libraries on the slim base, and before {_words(least)} wants an older cuDNN"
        raise SpecError(what, where=where, hint=f"require {spelling}, whose extras bring them")
    return f"{name} brings no CUDA libraries (with {spelling} a slim base would do)"


def _cupy(requirements: Sequence[str]) -> Version | None:
    named = _named(requirements, frozenset(NEED_LIBRARIES))
    return (13, 0) if "cupy-cuda13x" in named else (12, 9) if "cupy-cuda12x" in named else None


def _words(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
