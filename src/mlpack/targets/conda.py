"""Images from a conda environment: two ways to the same packages, chosen when the image is built.

The build argument MLPACK_ENVIRONMENT says `conda` (micromamba, from the environment's channels) or `pip`.
"""

from __future__ import annotations

from posixpath import basename

from mlpack.plan import Plan
from mlpack.servers.paths import deploy_folder
from mlpack.targets.images import Image, extra_index

CONDA_IMAGE = "mambaorg/micromamba:2.0-debian12-slim"
"""micromamba's own image; the same distribution as the base, whose libc the environment then meets."""
SCRIPT = "conda_env.py"
TEMPLATE = "image/conda_Dockerfile.j2"
ARGUMENTS = ("CONDA_IMAGE", "MLPACK_ENVIRONMENT")


def conda_values(plan: Plan, image: Image) -> dict[str, object]:
    """What the Dockerfile of ``image`` says beside the common values; ``build.conda`` names the environment's file."""
    build = image.build
    assert build.conda is not None
    file = basename(build.conda)
    torch = any({"torch", "transformers"} & set(plan.services[name].runtimes) for name in image.services)
    return {
        "extra_index": extra_index(image, plan, {"torch"} if torch else set()),
        "conda_image": CONDA_IMAGE,
        "copy_clean": (build.conda, f"{deploy_folder(plan.profiles)}/{SCRIPT}", "./"),
        "clean_argv": ("python", f"/build/{SCRIPT}", f"/build/{file}", "/build/clean"),
    }
