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
CUDA_IMAGE = "nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04"
_EXTRAS = re.compile(r"^[^\[;@#]*\[([^\]]*)\]")


def missing_cuda(requirements: Iterable[str]) -> tuple[str, str] | None:
    """What the slim base lacks for ``requirements``, and what to do; None where wheels are enough."""
    for line in requirements:
        name = distribution(line)
        if name in COMPILED:
            what = f"{name} is compiled with CUDA's own compiler, which no wheel brings"
            return what, f"bring a Dockerfile of your own (build.dockerfile) on a base like {CUDA_IMAGE}"
        if name in NEED_EXTRAS:
            wanted, spelling = NEED_EXTRAS[name]
            found = _EXTRAS.match(line)
            extras = {one.strip() for one in found.group(1).split(",")} if found else set()
            if not set(wanted) <= extras:
                what = f"{name} alone finds no CUDA libraries on the slim base"
                hint = f"require {spelling}, whose extras bring them, or bring a Dockerfile of your own on {CUDA_IMAGE}"
                return what, hint
    return None
