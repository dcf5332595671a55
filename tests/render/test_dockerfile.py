"""The image: hadolint's view of it, what it installs, copies and leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.artifacts import texts, tool, write_files
from tests.plans import embedding_plan, embedding_spec, plan_of, service_plan

from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers import gunicorn
from mlpack.spec import Build, Model, Spec, Volume
from mlpack.targets.dockerfile import ignored_paths
from mlpack.targets.images import TORCH_CPU_INDEX


def plan_with(**changes: object) -> Plan:
    spec = embedding_spec()
    return plan_of(Spec.model_validate(spec.model_dump() | changes), {"web": service_plan()})


def lines(plan: Plan, **requirements: list[str]) -> list[str]:
    return texts(plan, **requirements)["Dockerfile"].splitlines()


@pytest.mark.parametrize("build", [Build(requirements="requirements.txt", apt=("libgomp1", "poppler-utils")), Build()])
def test_hadolint(build: Build, tmp_path: Path) -> None:
    plan = plan_with(build=build.model_copy(update={"requirements": "requirements.txt"}))
    folder = write_files(plan, tmp_path)
    run([tool("hadolint"), str(folder / "Dockerfile")])


def test_no_syntax_line() -> None:
    """It would fetch a front end from a registry that may not be there."""
    assert not any(line.startswith("# syntax") for line in lines(embedding_plan()))


@pytest.mark.parametrize(
    ("required", "build", "index"),
    [
        (["torch", "fastapi"], {}, TORCH_CPU_INDEX),
        (["torch==2.13.0"], {}, TORCH_CPU_INDEX),
        (["Torch"], {}, TORCH_CPU_INDEX),
        (["torchvision-extras", "fastapi"], {}, ""),
        ([], {}, ""),
        (["torch"], {"wheelhouse": "wheels"}, ""),
        (["torch"], {"index": "https://mirror.example/simple"}, ""),
    ],
)
def test_torch_without_cuda_for_cpus(required: list[str], build: dict[str, str], index: str) -> None:
    plan = plan_with(build=Build.model_validate({"requirements": "requirements.txt"} | build))
    assert f'ARG PIP_EXTRA_INDEX_URL="{index}"' in lines(plan, web=required)


def test_command_user_and_mount_points() -> None:
    plan = embedding_plan()
    found = lines(plan)
    assert json.loads(found[-1].removeprefix("CMD ")) == list(gunicorn.argv(plan, "web"))
    assert found.index("USER 10001:10001") > max(i for i, line in enumerate(found) if line.startswith(("RUN", "COPY")))
    mounts = next(line for line in found if line.startswith("RUN install --directory"))
    assert mounts.split()[3:] == ["--owner=10001", "--group=10001", "/opt/embedding/cache", "/opt/embedding/logs"]


def test_hostile_names_stay_words() -> None:
    plan = plan_with(root="/opt/a $b", build=Build(requirements='req "x"/$all.txt', python="3.12"))
    found = lines(plan)
    assert r'WORKDIR "/opt/a \$b"' in found
    assert 'ARG BASE_IMAGE="python:3.12-slim-bookworm"' in found
    assert any(line.endswith("--requirement '$all.txt'") for line in found)


def test_ignored_paths() -> None:
    spec = {
        "models": {
            "minilm": Model(path="./weights/a"),
            "far": Model(path="/srv/b"),
            "moved": Model(path="m", mount="/m"),
        },
        "volumes": {"cache": Volume(), "logs": Volume(path="logs/"), "out": Volume(path="../out")},
        "build": Build(requirements="requirements.txt", wheelhouse="wheels", ca="company.pem"),
    }
    ignored = set(ignored_paths(plan_with(**spec)))
    assert {"weights/a", "m", "cache", "logs", "wheels", "company.pem", ".git", "tests", "deploy", "secrets"} <= ignored
    assert not any(path.startswith(("/", "..", "./")) for path in ignored)


def test_what_is_rendered_for_the_image_is_kept_in_it() -> None:
    files = texts(embedding_plan())
    kept = [line[1:] for line in files["Dockerfile.dockerignore"].splitlines() if line.startswith("!")]
    assert kept == [f"deploy/prod/{name}" for name in ("web.gunicorn.conf.py", "check_image.py", "healthcheck.py")]
    assert all(Path(path).name in files for path in kept)
