"""The Dockerfile of an image for cards on NVIDIA's base: what it says, and hadolint's and compose's view of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts, tool, write_files
from tests.planner.build import GUNICORN
from tests.planner.gpu_build import card, model, plan_on, with_cards

from mlpack.host import GpuSetFacts
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.targets.gpu_image import cuda_values
from mlpack.targets.images import images

COMPILED = ("torch==2.9.1", "flash-attn==2.8.2", "mamba_ssm")
LIBRARIES = ("torch==2.9.1", "cupy-cuda12x")


def planned(lines: tuple[str, ...], **build: Any) -> Plan:
    cards = GpuSetFacts(
        cuda="13.0", devices=(card(24, uuid="GPU-a"), card(24, uuid="GPU-b", compute_capability=(9, 0)))
    )
    whole = {"requirements": "requirements.txt", **build}
    service = {"web": {**GUNICORN, "device": "gpu"}}
    return plan_on(with_cards(cards), service, info=model(1e8, "F32"), requirements=lines, build=whole)


def stages(text: str) -> dict[str, str]:
    """Stage -> its text, by name; the last one as ``final``."""
    parts = re.split(r"(?m)^FROM (\S+)(?: AS (\S+))?\n", text)
    return {parts[at + 1] or "final": parts[at] + "\n" + parts[at + 2] for at in range(1, len(parts), 3)}


def test_the_compiler_stays_in_its_stage() -> None:
    text = texts(planned(COMPILED))["Dockerfile"]
    assert 'ARG BASE_IMAGE="nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04"\n' in text
    assert 'ARG PYTHON_IMAGE="python:3.11-slim-bookworm"\n' in text
    assert 'ARG CUDA_BUILD_IMAGE="nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04"\n' in text
    assert re.search(r"(?m)^# flash-attn, mamba-ssm: compiled .*CUDA 12.8", text)
    assert "# Unproven" in text
    parts = stages(text)
    assert {name: part.split("\n")[0] for name, part in parts.items()} == {
        "wheels": "scratch",
        "python": "${PYTHON_IMAGE}",
        "base": "${BASE_IMAGE}",
        "compiling": "${CUDA_BUILD_IMAGE}",
        "build": "base",
        "source": "base",
        "final": "base",
    }
    assert "check_image.py" in parts["build"]  # with the libraries of the image that runs, not the compiler's
    assert 'ENV TORCH_CUDA_ARCH_LIST="8.6;9.0"\n' in parts["compiling"]
    assert "ENTRYPOINT []" in parts["final"]
    assert "whl/cpu" not in text


def test_libraries_alone_need_no_compiler() -> None:
    text = texts(planned(LIBRARIES))["Dockerfile"]
    assert "CUDA_BUILD_IMAGE" not in text
    assert "no-build-isolation" not in text
    assert stages(text)["build"].startswith("base\n")
    assert 'ARG BASE_IMAGE="nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04"\n' in text


def test_conda_environments_get_the_base_too() -> None:
    text = texts(planned((), requirements=None, conda="environment.yml"))["Dockerfile"]
    assert 'ARG BASE_IMAGE="nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04"\n' in text
    assert stages(text)["base"].startswith("${BASE_IMAGE}\n")
    assert 'COPY --from=python ["/usr/local/bin", "/usr/local/bin"]' in stages(text)["base"]


def test_slim_images_say_nothing_of_it() -> None:
    text = texts(planned(("torch==2.9.1",)))["Dockerfile"]
    assert "PYTHON_IMAGE" not in text
    assert "ENTRYPOINT" not in text


def test_packages_that_need_torch_come_after_it(tmp_path: Path) -> None:
    """sed's own view of the command that leaves their lines out."""
    plan = planned(COMPILED)
    compiler: Any = cuda_values(plan, images(plan)[0])["compiler"]
    lines = (
        "torch==2.9.1\nFlash_Attn==2.8.2 ; python_version>'3'\n  mamba-ssm\nmamba-ssm-extra\nflash-attn2\n-r more.txt\n"
    )
    (tmp_path / "requirements.txt").write_text(lines)
    kept = run(("sed", "-E", compiler["later"], str(tmp_path / "requirements.txt"))).stdout
    assert kept.splitlines() == ["torch==2.9.1", "mamba-ssm-extra", "flash-attn2", "-r more.txt"]


def test_compose_hands_on_the_images() -> None:
    web = yaml.safe_load(texts(planned(COMPILED))["compose.yaml"])["services"]["web"]
    args = web["build"]["args"]
    assert {"BASE_IMAGE", "PYTHON_IMAGE", "CUDA_BUILD_IMAGE"} <= set(args)
    slim = yaml.safe_load(texts(planned(("torch",)))["compose.yaml"])["services"]["web"]
    assert not {"PYTHON_IMAGE", "CUDA_BUILD_IMAGE"} & set(slim["build"]["args"])


@pytest.mark.parametrize(
    ("requirements", "build"),
    [(COMPILED, {"apt": ["libgomp1"]}), (LIBRARIES, {}), ((), {"requirements": None, "conda": "environment.yml"})],
)
def test_hadolint(requirements: tuple[str, ...], build: dict[str, Any], tmp_path: Path) -> None:
    folder = write_files(planned(requirements, **build), tmp_path)
    run((tool("hadolint"), str(folder / "Dockerfile")))
