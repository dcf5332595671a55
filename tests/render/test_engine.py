"""Rendered files in the real tools: every variation is a valid compose file, and a library that is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.artifacts import write_files
from tests.plans import embedding_plan, embedding_spec, plan_of, service_plan, whole

from mlpack.plan import Plan
from mlpack.process import run
from mlpack.spec import Build, Spec, Volume
from mlpack.units import MIB

pytestmark = pytest.mark.engine


def variations() -> dict[str, Plan]:
    """Plans that take every branch of the compose template."""
    requirements = "requirements.txt"
    closed = Build(requirements=requirements, wheelhouse="wheels", index="https://mirror.example/$x", ca="ca.pem")
    memory = embedding_plan().services["web"].memory.model_copy(update={"shm_bytes": whole(320 * MIB)})
    hostile = {"cache": Volume(mount="/mnt/a $b"), "logs": Volume(path="logs: $HOME #1")}
    spec = embedding_spec()
    dev = spec.model_copy(update={"settings": spec.settings.model_copy(update={"reload": True, "restart": "no"})})
    return {
        "plain": embedding_plan(),
        "closed network": plan_of(embedding_spec(build=closed), {"web": service_plan()}),
        "other platform": plan_of(
            embedding_spec(build=Build(requirements=requirements, platform="linux/arm64")), {"web": service_plan()}
        ),
        "the user's image": plan_of(embedding_spec(build=Build(dockerfile="My $Dockerfile")), {"web": service_plan()}),
        "hostile volumes": plan_of(embedding_spec(volumes=hostile), {"web": service_plan()}),
        "dev": plan_of(dev, {"web": service_plan()}),
        "replicas": plan_of(spec, {"web": service_plan(memory=memory, replicas=whole(3), publish=None)}),
    }


@pytest.mark.parametrize("name", variations())
def test_compose_takes_it(name: str, tmp_path: Path) -> None:
    folder = write_files(variations()[name], tmp_path)
    said = run(["docker", "compose", "--file", str(folder / "compose.yaml"), "config", "--quiet"])
    assert not said.stderr, "no warning either"


def lightgbm_project(tmp_path: Path, *apt: str) -> list[str]:
    """A project whose one library needs libgomp1; returns the command that builds up to the library check."""
    spec = embedding_spec(models={}, volumes={}, build=Build(requirements="requirements.txt", apt=apt))
    web = spec.services["web"].model_copy(update={"models": (), "volumes": (), "env": {}})
    spec = Spec.model_validate(spec.model_dump() | {"services": {"web": web}})
    folder = write_files(plan_of(spec, {"web": service_plan()}), tmp_path)
    (tmp_path / "requirements.txt").write_text("lightgbm\ngunicorn\n", encoding="utf-8")
    (tmp_path / "app.py").write_text("", encoding="utf-8")
    return [
        "docker",
        "build",
        "--target",
        "build",
        "--progress",
        "plain",
        "--file",
        f"{folder}/Dockerfile",
        f"{tmp_path}",
    ]


@pytest.mark.slow
def test_a_missing_system_library_is_named_and_the_advice_helps(tmp_path: Path) -> None:
    said = run(lightgbm_project(tmp_path), check=False)
    assert said.code != 0
    assert "wants libgomp.so.1, which Debian's package libgomp1 brings" in said.stderr
    assert "build: {apt: [libgomp1]}" in said.stderr
    assert run(lightgbm_project(tmp_path, "libgomp1"), check=False).code == 0
