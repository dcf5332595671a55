"""The world of a render: the lock's machine and models, until someone asks for others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlpack.errors import ModelFileError, StaleError
from mlpack.host import HostFacts
from mlpack.lock import Lock
from mlpack.model import ModelFile, ModelInfo
from mlpack.probe.compare import stable
from mlpack.spec import Model
from mlpack.write import world_for_render

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
    assert world.host == stable(make_host())
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
    assert "RAM: 8 GiB, now 64 GiB" in notes


def test_reprobe_takes_machine_and_weights_but_keeps_what_is_absent(make_lock: MakeLock, make_host: MakeHost) -> None:
    lock = locked(make_lock)
    world, _ = world_for_render(lock, SPEC, {"bert": info(7)}, probed=lambda: make_host(64 * GIB), reprobe=True)
    assert (world.host.memory_bytes, world.models["bert"].size_bytes) == (64 * GIB, 7)
    world, _ = world_for_render(lock, SPEC, {"bert": None}, probed=lambda: make_host(64 * GIB), reprobe=True)
    assert world.models == lock.world.models


def test_a_given_host_needs_no_probe(make_lock: MakeLock, make_host: MakeHost) -> None:
    world, _ = world_for_render(locked(make_lock), SPEC, {"bert": None}, probed=never, host=make_host(4 * GIB))
    assert world.host == stable(make_host(4 * GIB))


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
