"""Tests marked ``engine`` need a container engine: in CI a missing one is a failure, elsewhere a skip with a reason."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence

import pytest

from mlpack.artifact import Artifact
from mlpack.errors import MlpackError
from mlpack.host import CgroupFacts, CpuFacts, HostFacts, MemoryFacts
from mlpack.lock import Lock, World
from mlpack.model import ModelInfo
from mlpack.plan import BudgetPlan, Decided, Plan
from mlpack.process import run
from mlpack.spec import Model, Spec
from mlpack.write import artifact_hashes


@functools.cache
def missing_engine() -> str | None:
    """Why there is no usable engine; None when one answers and has Compose."""
    try:
        run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout_s=20)
        run(["docker", "compose", "version"], timeout_s=20)
    except MlpackError as error:
        return str(error)
    return None


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` rewrites the recorded plans and files under tests/golden; read them before committing."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden from what is produced now")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse or skip engine tests before their fixtures run."""
    if item.get_closest_marker("engine") is None:
        return
    reason = missing_engine()
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a container engine (scripts/engine.sh): {reason}", pytrace=False)
        pytest.skip(f"no container engine: {reason}")


def small_host(memory_bytes: int = 8 * 1024**3) -> HostFacts:
    """A machine of two cores and ``memory_bytes``."""
    return HostFacts(
        system="Linux",
        release="6.1",
        memory=MemoryFacts(total_bytes=memory_bytes, available_bytes=memory_bytes // 2, swap_total_bytes=0),
        cpu=CpuFacts(model=None, architecture="x86_64", physical_cores=2, logical_cores=2, affinity_cores=2),
        cgroup=CgroupFacts(version="v2", path="/user.slice/session-3.scope"),
    )


@pytest.fixture(scope="session")
def make_host() -> Callable[..., HostFacts]:
    """A machine by its memory in bytes."""
    return small_host


@pytest.fixture(scope="session")
def make_lock() -> Callable[..., Lock]:
    """A lock with an empty plan, for tests that are about files."""

    def make(
        artifacts: Sequence[Artifact] = (),
        *,
        inputs: Mapping[str, str] | None = None,
        host: HostFacts | None = None,
        version: str = "0.1.0",
        models: Mapping[str, ModelInfo] | None = None,
        paths: Mapping[str, str] | None = None,
    ) -> Lock:
        facts = host or small_host()
        spec = Spec(name="shop", services={}, models={name: Model(path=path) for name, path in (paths or {}).items()})
        budget = BudgetPlan(
            total_bytes=Decided[int](value=facts.memory_bytes, source="probed", because="MemTotal"),
            usable_bytes=Decided[int](value=facts.memory_bytes // 2, source="calculated", because="half"),
            cores=Decided[float](value=facts.cores, source="probed", because="affinity"),
            rows=(),
        )
        return Lock(
            mlpack_version=version,
            profiles=("prod",),
            world=World(host=facts, models=dict(models or {})),
            inputs=dict(inputs or {}),
            footprints={},
            plan=Plan(name="shop", profiles=("prod",), spec=spec, services={}, budget=budget),
            files=artifact_hashes(artifacts),
        )

    return make
