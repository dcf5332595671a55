"""Containers that are ill on purpose, one at a time, for doctor; each is removed by its own id."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from mlpack.doctor import Diagnosis, Facts, diagnose
from mlpack.doctor.read import read_container
from mlpack.process import run

HEALTH = (
    "--health-cmd",
    """python3 -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=1)" """.strip(),
    *("--health-interval", "1s", "--health-timeout", "2s", "--health-retries", "2"),
)
FREEZES = """
import http.server, threading, time
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if time.monotonic() - began > 4: threading.Event().wait()
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
began = time.monotonic()
http.server.HTTPServer(("0.0.0.0", 8000), Health).serve_forever()
"""
"""Healthy for four seconds, then it waits for ever."""
FILLS = "import time; open('/data/x', 'wb', 0).write(bytes(1 << 20)); time.sleep(600)"


@dataclass(frozen=True)
class Scenario:
    """How to make a container ill, when that shows, and the root that doctor must name first."""

    kind: str | None
    options: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    shows: Callable[[Facts], bool] = lambda facts: not facts.running
    says: str = ""


LOOKS = 3


def looked_at(idents: Sequence[str]) -> list[Facts]:
    """Every container's facts, asked for at the same time."""
    with ThreadPoolExecutor(len(idents)) as pool:
        return list(pool.map(lambda ident: read_container(ident, os.environ), idents))


def finds_nothing(compose: Callable[..., str]) -> None:
    """Doctor looks three times at all containers of a system that works; ``compose`` is `docker compose` of it."""
    idents = compose("ps", "--all", "--quiet").split()
    assert idents
    for _ in range(LOOKS):
        patients = looked_at(idents)
        assert {one.name: diagnose(one) for one in patients if diagnose(one)} == {}
        assert all(one.running or one.done for one in patients)


def unhealthy(facts: Facts) -> bool:
    """The engine calls it so."""
    return facts.health is not None and facts.health.status == "unhealthy"


def mode(name: str) -> tuple[str, str]:
    """The option that makes the matrix image misbehave so."""
    return ("--env", f"MODE={name}")


SCENARIOS: dict[str, Scenario] = {
    "healthy": Scenario(
        None, HEALTH, shows=lambda facts: facts.health is not None and facts.health.status == "healthy"
    ),
    "oom": Scenario(
        "oom",
        (*mode("oom-at-load"), "--memory", "128m", "--memory-swap", "128m"),
        shows=lambda facts: bool(facts.oom_killed or facts.oom_kills),
        says="its memory limit is 128 MiB",
    ),
    "missing-library": Scenario("missing-library", mode("no-library"), says="libGL.so.1"),
    "missing-module": Scenario("missing-module", mode("no-module"), says="nobody_has_this"),
    "crash": Scenario("app-error", mode("crash"), says="ValueError: the weights are corrupt"),
    "health-early": Scenario(
        "health-early", HEALTH, ("python3", "-c", "while True: pass"), shows=unhealthy, says="start period 0 ms"
    ),
    "hung": Scenario("hung", HEALTH, ("python3", "-c", FREEZES), shows=unhealthy, says="computes on 0."),
    "health-cannot-run": Scenario(
        "health-cannot-run",
        ("--health-cmd", "curl -f http://localhost:8000", "--health-interval", "1s", "--health-retries", "1"),
        shows=unhealthy,
        says="not found",
    ),
    "disk-full": Scenario(
        "disk-full",
        ("--tmpfs", "/data:size=1m,mode=1777"),
        ("python3", "-c", FILLS),
        shows=lambda facts: any(one.mount == "/data" and one.free_bytes == 0 for one in facts.file_systems),
        says="/data: 1 MiB of 1 MiB used",
    ),
    "shm-full": Scenario("shm-full", mode("shm-full"), says="No space left on device"),
    "architecture": Scenario("architecture", command=("/opt/hand/alien",), says="exec format error"),
    "no-command": Scenario("no-command", command=("uwsgi",), says="executable file not found"),
    "restart-loop": Scenario(
        "app-error",
        (*mode("crash"), "--restart", "always"),
        shows=lambda facts: facts.restarts >= 3,
        says="ValueError: the weights are corrupt",
    ),
    "done": Scenario(None, command=("sh", "-c", "exit 0")),
    "stopped": Scenario("stopped", ("--publish", "127.0.0.1::8000"), ("sh", "-c", "exit 0"), says="exit code 0"),
}


@contextmanager
def patient(image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[str]:
    """A container that was started (or could not be), by name; removed in any case."""
    name = f"mlpack-doctor-{secrets.token_hex(4)}"
    ident = run(["docker", "create", "--name", name, *options, image, *command]).stdout.strip()
    try:
        run(["docker", "start", ident], check=False)
        yield name
    finally:
        run(["docker", "rm", "--force", "--volumes", ident], check=False)


def examined(name: str, until: Callable[[Facts], bool], timeout_s: float = 60.0) -> tuple[Facts, dict[str, Diagnosis]]:
    """The facts once ``until`` is so, and the diagnoses by kind."""
    deadline = time.monotonic() + timeout_s
    while True:
        facts = read_container(name, os.environ)
        if until(facts) or time.monotonic() > deadline:
            assert until(facts), facts.to_json()
            return facts, {one.kind: one for one in diagnose(facts)}
        time.sleep(0.5)
