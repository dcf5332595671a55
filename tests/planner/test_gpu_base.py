"""What an image for cards is built on: the slim base, NVIDIA's where wheels do not bring all, else a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.planner.build import GUNICORN
from tests.planner.gpu_build import card, model, plan_on, with_cards

from mlpack.errors import DoesNotFit, MlpackError, SpecError
from mlpack.host import GpuSetFacts
from mlpack.plan import ImageBase, Plan
from mlpack.planner.explain import explain

GPU = {**GUNICORN, "device": "gpu"}
TORCH = "torch==2.9.1"


def planned(requirements: Sequence[str], *, cuda: str | None = "13.0", capability: Any = (8, 6), **more: Any) -> Plan:
    """One service on one card, with these packages and a driver that knows so much CUDA."""
    cards = GpuSetFacts(driver="580.1", cuda=cuda, devices=(card(24, compute_capability=capability),))
    build = {"requirements": "requirements.txt", **more.pop("build", {})}
    named = " ".join(requirements)
    runtime: Any = next((one for one in ("onnxruntime", "tensorflow") if one in named), "transformers")
    return plan_on(
        with_cards(cards),
        {"web": {**GPU, **more}},
        info=model(1e8, "F32"),
        requirements=requirements,
        build=build,
        runtime=runtime,
    )


def base(*requirements: str, **more: Any) -> ImageBase:
    """What its image is built on."""
    gpu = planned(requirements, **more).services["web"].gpu
    assert gpu is not None
    assert gpu.base is not None
    return gpu.base


@pytest.mark.parametrize("requirement", [TORCH, "onnxruntime-gpu[cuda,cudnn]==1.25", "tensorflow[and-cuda]==2.20"])
def test_wheels_that_bring_cuda_need_no_more_than_slim(requirement: str) -> None:
    made = base(requirement)
    assert (made.image.value, made.builder, made.compiled) == ("slim", None, ())
    assert "come with the wheels" in made.image.because


@pytest.mark.parametrize(
    ("torch", "cuda", "version"),
    [
        ("torch==2.11.0", "13.0", "13.0.2"),
        ("torch==2.9.1", "13.0", "12.8.1"),
        ("torch==2.9.1+cu129", "13.0", "12.9.1"),
        ("torch==2.9.1+cu126", "13.0", "12.6.3"),
        ("torch==2.9.1", "12.6", "12.6.3"),  # NVIDIA_REQUIRE_CUDA: nothing above the driver's starts
        ("torch==2.5.1", "12.8", "12.6.3"),  # 12.4 is on no Ubuntu 24.04: the nearest of the same major version
        ("torch==2.9.1", None, "12.8.1"),
    ],
)
def test_what_is_compiled_gets_the_compiler_of_the_wheels_cuda(torch: str, cuda: str | None, version: str) -> None:
    made = base(torch, "flash_attn==2.8.2", cuda=cuda)
    assert made.image.value == f"nvidia/cuda:{version}-cudnn-runtime-ubuntu24.04"
    assert made.builder is not None
    assert made.builder.value == f"nvidia/cuda:{version}-cudnn-devel-ubuntu24.04"
    assert made.compiled == ("flash-attn",)
    assert "flash-attn: compiled" in made.image.because


@pytest.mark.parametrize(
    ("requirements", "reason"),
    [
        (("onnxruntime-gpu==1.25",), r"onnxruntime-gpu brings no CUDA libraries (with onnxruntime-gpu[cuda,cudnn]"),
        (("tensorflow==2.20.0",), "tensorflow brings no CUDA libraries (with tensorflow[and-cuda]"),
        ((TORCH, "cupy-cuda12x"), "cupy-cuda12x brings no CUDA libraries"),
    ],
)
def test_libraries_without_a_compiler(requirements: tuple[str, ...], reason: str) -> None:
    made = base(*requirements)
    assert made.image.value.startswith("nvidia/cuda:12.")
    assert "-cudnn-runtime-" in made.image.value
    assert made.builder is None
    assert reason in made.image.because


def test_code_that_is_compiled_as_it_runs_keeps_the_compiler() -> None:
    made = base(TORCH, "deepspeed")
    assert "-cudnn-devel-" in made.image.value
    assert made.builder is None


def test_the_spec_has_the_last_word() -> None:
    asked = base(TORCH, build={"cuda_base": True})
    assert (asked.image.source, asked.image.value) == ("user", "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04")
    assert asked.builder is not None
    assert base(TORCH, "flash-attn", build={"cuda_base": False}).image.value == "slim"


def test_conda() -> None:
    made = base(build={"requirements": None, "conda": "environment.yml"})
    assert made.image.value == "nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04"
    assert "conda" in made.image.because


def test_explain_says_it() -> None:
    (row,) = [row for row in explain(planned((TORCH, "mamba-ssm"))) if row.path == "services.web.gpu.base.image"]
    assert "mamba-ssm: compiled" in row.because
    assert "12.8" in row.because


@pytest.mark.parametrize(
    ("requirements", "more", "said", "way"),
    [
        (
            (TORCH, "flash-attn"),
            {"cuda": "12.4"},
            "begin with CUDA 12.6 .* ends at CUDA 12.4",
            "12.4.1-cudnn-devel-ubuntu22.04",
        ),
        (("torch==2.0.1", "flash-attn"), {}, "wheels are for CUDA 11.7", "11.8.0-cudnn8-devel-ubuntu22.04"),
        (("torch==2.11.0", "flash-attn"), {"cuda": "12.8"}, "brings CUDA 13.0", "docs/gpu.md"),
        ((TORCH, "flash-attn"), {"cuda": "12.6", "capability": (12, 0)}, "Blackwell cards want CUDA 12.8", "cpu"),
    ],
)
def test_a_base_that_would_not_start_is_refused(
    requirements: tuple[str, ...], more: dict[str, Any], said: str, way: str
) -> None:
    with pytest.raises(DoesNotFit, match=said) as refused:
        planned(requirements, **more)
    assert way in (refused.value.hint or "")


@pytest.mark.parametrize("requirement", ["onnxruntime-gpu==1.18.1", "tensorflow==2.16.1"])
def test_an_older_cudnn_is_refused_with_the_extras(requirement: str) -> None:
    with pytest.raises(SpecError, match="older cuDNN") as refused:
        planned((requirement,))
    assert "[" in (refused.value.hint or "")


def test_auto_goes_to_the_processor_where_the_base_would_not_start() -> None:
    plan = planned((TORCH, "flash-attn"), cuda="12.4", device="auto")
    assert plan.services["web"].device == "cpu"
    assert "begin with CUDA 12.6" in plan.findings[0].message


def test_an_image_of_the_users_own_has_the_users_base() -> None:
    gpu = planned((TORCH, "flash-attn"), image="shop:1").services["web"].gpu
    assert gpu is not None
    assert gpu.base is None
    assert issubclass(DoesNotFit, MlpackError)
