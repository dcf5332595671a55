"""Whether CUDA's wheels on the slim base are enough for an image, or what is missing where they are not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mlpack.runtimes.libraries import distribution

NEED_EXTRAS = {
    "onnxruntime-gpu": (("cuda", "cudnn"), "onnxruntime-gpu[cuda,cudnn]"),
    "tensorflow": (("and-cuda",), "tensorflow[and-cuda]"),
}
"""Packages that bring CUDA's libraries only when asked by these extras (their wheels' metadata)."""
COMPILED = frozenset({"flash-attn", "apex", "deepspeed", "mamba-ssm", "causal-conv1d", "pytorch3d", "detectron2"})
"""Packages that are compiled against CUDA at install, or at first use: the slim base has no compiler for it."""
ENOUGH = "CUDA's libraries come with the wheels; only the driver is the host's, so the slim base is enough"
CUDA_IMAGES: tuple[tuple[tuple[int, int], str], ...] = (
    ((13, 0), "nvidia/cuda:13.0.2-cudnn-devel-ubuntu22.04"),
    ((12, 8), "nvidia/cuda:12.8.1-cudnn-devel-ubuntu22.04"),
    ((12, 6), "nvidia/cuda:12.6.3-cudnn-devel-ubuntu22.04"),
    ((12, 0), "nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04"),
    ((11, 0), "nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04"),
)
"""From so much CUDA in the wheel on, NVIDIA's image with a compiler of the same major version: what is compiled there
runs beside the wheel's libraries, on the same drivers. Tags that public Dockerfiles use; not pulled here."""
_EXTRAS = re.compile(r"^[^\[;@#]*\[([^\]]*)\]")


def cuda_image(cuda: tuple[int, int] | None) -> str:
    """NVIDIA's image for wheels with that CUDA; the newest where nothing tells."""
    return next((image for least, image in CUDA_IMAGES if cuda is not None and cuda >= least), CUDA_IMAGES[0][1])


def missing_cuda(requirements: Iterable[str], cuda: tuple[int, int] | None = None) -> tuple[str, str] | None:
    """What the slim base lacks for ``requirements``, whose wheels bring ``cuda``, and what to do; None where wheels are
    enough."""
    image = cuda_image(cuda)
    for line in requirements:
        name = distribution(line)
        if name in COMPILED:
            what = f"{name} is compiled with CUDA's own compiler, which no wheel brings"
            return what, f"bring a Dockerfile of your own (build.dockerfile) on a base like {image}"
        if name in NEED_EXTRAS:
            wanted, spelling = NEED_EXTRAS[name]
            found = _EXTRAS.match(line)
            extras = {one.strip() for one in found.group(1).split(",")} if found else set()
            if not set(wanted) <= extras:
                what = f"{name} alone finds no CUDA libraries on the slim base"
                hint = f"require {spelling}, whose extras bring them, or bring a Dockerfile of your own on {image}"
                return what, hint
    return None
