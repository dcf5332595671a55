"""Doctor finds nothing in deployments that work: five that mlpack did not write, side by side, three looks at each."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e import standins
from tests.e2e.doctors import looked_at

from mlpack.doctor import Facts, diagnose
from mlpack.doctor.read import containers_of
from mlpack.process import run

pytestmark = pytest.mark.engine
FILES = sorted((Path(__file__).parent / "elsewhere").glob("*.yaml"))
JOBS = {"fill", "migrate"}
"""Services that end."""
SETTLED_S = 60.0


def project(file: Path) -> str:
    """Its name here, as others may run the same files."""
    return f"elsewhere-{file.stem}-{os.getpid()}"


def compose(file: Path, *words: str) -> None:
    """`docker compose` of one of them."""
    run(["docker", "compose", "--project-name", project(file), "--file", str(file), *words], timeout_s=150)


@pytest.fixture(scope="module")
def running(matrix_image: str) -> Iterator[tuple[str, ...]]:
    """All five are up, by the ids of their containers. ``matrix_image``: what some of their files name."""
    assert all(matrix_image in file.read_text() for file in FILES if file.stem in ("shop", "rows"))
    standins.provide("nginx", "redis", "postgres", "app")
    with ThreadPoolExecutor(len(FILES)) as pool:
        try:
            list(pool.map(lambda file: compose(file, "up", "--detach"), FILES))
            yield tuple(ident for file in FILES for ident in containers_of(project(file), os.environ))
        finally:
            list(pool.map(lambda file: compose(file, "down", "--volumes", "--timeout", "1"), FILES))


def settled(facts: Facts) -> bool:
    """A job that has ended, or a service that runs and whose first health check is over."""
    return facts.done or (facts.running and (facts.health is None or facts.health.status != "starting"))


def test_nothing_is_found_where_nothing_is_wrong(running: tuple[str, ...]) -> None:
    deadline = time.monotonic() + SETTLED_S
    while not all(map(settled, patients := looked_at(running))):
        assert time.monotonic() < deadline, [one.to_json() for one in patients if not settled(one)]
    looks = [patients, looked_at(running), looked_at(running)]
    for patients in looks:
        assert {one.service: diagnose(one) for one in patients if diagnose(one)} == {}
        assert {one.service for one in patients if not one.running} == JOBS
        assert len(patients) == len({one.service for one in patients}) == 12
    assert next(one.restarts for one in patients if one.service == "migrate") == 1, "it did fail once"
