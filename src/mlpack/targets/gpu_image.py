"""An image for cards whose base is NVIDIA's: what its Dockerfile says beyond the usual one. Pure.

The decision, with its reason, is the planner's (``planner/gpu_base.py``).
"""

from __future__ import annotations

from mlpack.plan import ImageBase, Plan
from mlpack.targets.images import Image, base_image

ARGUMENTS = ("PYTHON_IMAGE", "CUDA_BUILD_IMAGE")
PYTHON_LIBRARIES = (
    *("ca-certificates", "libbz2-1.0", "libdb5.3", "libexpat1", "libffi8", "libgdbm6", "liblzma5", "libncursesw6"),
    *("libreadline8", "libsqlite3-0", "libssl3", "libuuid1", "netbase", "tzdata", "zlib1g"),
)
"""What the official Python is linked with (its Dockerfile keeps these). Ubuntu 24.04 provides the names that it spells
with t64 under the old ones too."""
BUILDERS = ("setuptools", "wheel", "ninja", "packaging", "psutil")
"""What packages with CUDA code are built with: without pip's isolation, in which they would not find torch."""
MAX_JOBS = "4"
"""nvcc takes several GB for each job (flash-attention's README). It and TORCH_CUDA_ARCH_LIST were seen to take effect
in torch 2.13's cpp_extension."""


def base_of(plan: Plan, image: Image) -> ImageBase | None:
    """NVIDIA's base of ``image``; None where Python's slim one is enough."""
    bases = [gpu.base for name in image.services if (gpu := plan.services[name].gpu) and gpu.base]
    return next((base for base in bases if base.image.value != "slim"), None)


def cuda_values(plan: Plan, image: Image) -> dict[str, object]:
    """``cuda`` and ``compiler`` of the Dockerfile; None each where there is no such thing."""
    base = base_of(plan, image)
    if base is None:
        return {"cuda": None, "compiler": None}
    cuda = {
        "image": base.image.value,
        "because": base.image.because,
        "python": base_image(image.build),
        "libraries": PYTHON_LIBRARIES,
    }
    compiler = base.builder and {
        "image": base.builder.value,
        "architectures": _architectures(plan, image),
        "jobs": MAX_JOBS,
        "builders": BUILDERS,
        "later": _lines_of(base.compiled),
    }
    return {"cuda": cuda, "compiler": compiler}


def image_arguments(plan: Plan, image: Image) -> tuple[str, ...]:
    """Build arguments that the caller's environment may set."""
    base = base_of(plan, image)
    if base is None:
        return ()
    return ARGUMENTS if base.builder else ARGUMENTS[:1]


def _architectures(plan: Plan, image: Image) -> str:
    """TORCH_CUDA_ARCH_LIST: no card is seen while an image is built, and without it torch cannot tell for which."""
    cards = [card for name in image.services if (gpu := plan.services[name].gpu) for card in gpu.cards]
    known = {card.compute_capability for card in cards if card.compute_capability}
    return ";".join(f"{major}.{minor}" for major, minor in sorted(known))


def _lines_of(packages: tuple[str, ...]) -> str:
    """sed's command that leaves out these packages' lines; nothing is left out where it is empty."""
    if not packages:
        return ""
    names = "|".join(package.replace("-", "[-_.]") for package in packages)
    return f"/^[[:space:]]*({names})([^A-Za-z0-9._-]|$)/Id"
