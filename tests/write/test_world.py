"""The world of a render: the lock's machine and models, until someone asks for others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlpack.errors import ModelFileError, StaleError
from mlpack.host import DiskFacts, EngineFacts, GpuFacts, GpuSetFacts, HostFacts, Unread
from mlpack.lock import Lock
from mlpack.model import ModelFile, ModelInfo
from mlpack.spec import Model
from mlpack.write import host_differences, stable_facts, world_for_render

MakeLock = Callable[..., Lock]
MakeHost = Callable[..., HostFacts]
GIB = 1024**3
SPEC = {"bert": Model(path="models/bert.safetensors")}


def info(size_bytes: int = 100, header: str = "a" * 64, path: str = "models/bert.safetensors") -> ModelInfo:
    return ModelInfo(format="safetensors", files=(ModelFile(path=path, size_bytes=size_bytes, header_sha256=header),))


def locked(make_lock: MakeLock) -> Lock:
    return make_lock(models={"bert": info()}, paths={"bert": "models/bert.safetensors"})


def never() -> HostFacts:
    raise AssertionError("probed")


def test_without_a_lock_this_machine_counts(make_host: MakeHost) -> None:
    world, notes = world_for_render(None, SPEC, {"bert": info()}, probed=make_host)
    assert world.host == stable_facts(make_host())
    assert world.models == {"bert": info()}
    assert notes == ()


def test_the_lock_speaks_for_absent_weights_and_without_probing(make_lock: MakeLock) -> None:
    lock = locked(make_lock)
    world, notes = world_for_render(lock, SPEC, {"bert": None}, probed=None)
    assert (world, notes) == (lock.world, ())


def test_another_machine_is_told_and_not_taken(make_lock: MakeLock, make_host: MakeHost) -> None:
    lock = locked(make_lock)
    world, notes = world_for_render(lock, SPEC, {"bert": info()}, probed=lambda: make_host(64 * GIB))
    assert world == lock.world
    assert "memory: 64 GiB here, 8 GiB in the lock" in notes


def test_reprobe_takes_machine_and_weights_but_keeps_what_is_absent(make_lock: MakeLock, make_host: MakeHost) -> None:
    lock = locked(make_lock)
    world, _ = world_for_render(lock, SPEC, {"bert": info(7)}, probed=lambda: make_host(64 * GIB), reprobe=True)
    assert (world.host.memory_bytes, world.models["bert"].size_bytes) == (64 * GIB, 7)
    world, _ = world_for_render(lock, SPEC, {"bert": None}, probed=lambda: make_host(64 * GIB), reprobe=True)
    assert world.models == lock.world.models


def test_a_given_host_needs_no_probe(make_lock: MakeLock, make_host: MakeHost) -> None:
    world, _ = world_for_render(locked(make_lock), SPEC, {"bert": None}, probed=never, host=make_host(4 * GIB))
    assert world.host == stable_facts(make_host(4 * GIB))


@pytest.mark.parametrize(
    ("present", "says"),
    [
        (info(size_bytes=101), "101 bytes here, 100 in the lock"),
        (info(header="b" * 64), "same size, other header"),
        (info(path="models/other.safetensors"), "bert.safetensors is not .* it is gone"),
    ],
)
def test_other_weights_than_the_locked_ones_are_refused(make_lock: MakeLock, present: ModelInfo, says: str) -> None:
    with pytest.raises(StaleError, match=says) as caught:
        world_for_render(locked(make_lock), SPEC, {"bert": present}, probed=None)
    assert "--reprobe" in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_model_that_the_spec_moved_is_read_anew(make_lock: MakeLock) -> None:
    moved = {"bert": Model(path="models/new.safetensors")}
    present = info(path="models/new.safetensors", size_bytes=5)
    world, _ = world_for_render(locked(make_lock), moved, {"bert": present}, probed=None)
    assert world.models["bert"] == present
    with pytest.raises(ModelFileError, match=r"models/new.safetensors is not here"):
        world_for_render(locked(make_lock), moved, {"bert": None}, probed=None)


def test_stable_facts_hold_nothing_that_changes_by_the_hour(make_host: MakeHost) -> None:
    gpu = GpuFacts(vendor="nvidia", name="A10G", uuid="GPU-1", memory_total_bytes=24 * GIB, memory_free_bytes=3)
    busy = make_host().model_copy(
        update={
            "disk": DiskFacts(path="/home/someone/shop", total_bytes=9, free_bytes=1),
            "gpus": GpuSetFacts(devices=(gpu,)),
            "unread": (Unread(name="engine", reason="refused"),),
        }
    )
    text = stable_facts(busy).to_json()
    for volatile in ("someone", "session-3", "GPU-1", "refused", str(busy.memory.available_bytes)):
        assert volatile not in text
    assert stable_facts(stable_facts(busy)) == stable_facts(busy)


def test_differences_are_those_that_a_plan_depends_on(make_host: MakeHost) -> None:
    here = make_host()
    assert host_differences(stable_facts(here), here) == ()
    assert host_differences(make_host(8 * GIB - 40 * 1024**2), here) == ()
    engine = EngineFacts(
        name="docker",
        version="27",
        api_version="1.47",
        operating_system="Debian",
        cgroup_version="v2",
        memory_bytes=4 * GIB,
        cores=2,
    )
    gpus = GpuSetFacts(devices=(GpuFacts(vendor="nvidia", name="A10G"),))
    other = here.model_copy(update={"engine": engine, "gpus": gpus})
    assert host_differences(here, other) == (
        "GPUs: A10G here, none in the lock",
        "container engine: docker here, none in the lock",
    )
    small = engine.model_copy(update={"memory_bytes": 2 * GIB})
    assert host_differences(other, other.model_copy(update={"engine": small})) == (
        "the engine's memory: 2 GiB here, 4 GiB in the lock",
    )
