"""Replicas of gunicorn behind nginx come and go under load, and no request is lost: what took it answers it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.stopping import Replicas, planned

pytestmark = pytest.mark.engine
ROUNDS = 4


@pytest.mark.parametrize(("worker", "concurrency"), [("gthread", 4), ("sync", 1), ("asgi", 1)])
def test_a_stopped_replica_loses_no_request(worker: str, concurrency: int, tmp_path: Path, matrix_image: str) -> None:
    tmp_path.chmod(0o755)
    with Replicas(tmp_path, matrix_image, planned(worker, concurrency)) as replicas:
        found, took_s = replicas.stopped_in_load(ROUNDS)
        # asyncio's own: between its last look and the closing of its socket (1 of 7,871 in 20 stops, 32 clients)
        lost = found.total() - found["200"]
        assert lost <= (1 if worker == "asgi" else 0), (found, replicas.logs())
        assert max(took_s) < replicas.plan.services["api"].times.graceful_s.value, took_s
