"""The example with everything in containers: verified, a process killed in the middle of its task, a restart of all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e import doctors, mri, standins
from tests.e2e.test_mri import TRUTH_ML, WITHIN_ML
from tests.e2e.test_mri_hybrid import free_port

from mlpack.launchers import engine
from mlpack.process import run
from mlpack.verify import verify

pytestmark = pytest.mark.engine


class Containers:
    """The example as `docker compose` started it."""

    def __init__(self, root: Path, folder: Path, port: int) -> None:
        self.root, self.folder, self.base = root, folder, f"https://knee.localhost:{port}"

    def ask(self, *words: str) -> list[dict[str, Any]]:
        """The client's answers, asked on this machine."""
        return mri.ask((), self.base, *words)

    def compose(self, *words: str, check: bool = True) -> str:
        """`docker compose` in the rendered folder."""
        argv = ["docker", "compose", "--file", str(self.folder / "compose.yaml"), *words]
        return run(argv, timeout_s=300, check=check).stdout

    def jobs(self, *files: str) -> list[str]:
        """Ids of uploaded samples; a proxy that has just started may need a moment."""
        deadline = time.monotonic() + 60
        while True:
            answers = self.ask("upload", *[f"{self.root}/samples/{file}" for file in files])
            if all(answer["status"] == 202 for answer in answers) or time.monotonic() > deadline:
                return [str(answer["said"]["id"]) for answer in answers]
            time.sleep(1)


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    image = mri.app_image()
    mri.trained(image)
    standins.provide("redis", "caddy")
    root, port = tmp_path_factory.mktemp("mri") / "project", free_port()
    root.mkdir()
    own = f"{{image: '{image}'}}"
    profile = f"services: {{web: {own}, worker: {own}, "
    (root / "test.yaml").write_text(profile + f"proxy: {{publish: {port}}}}}\n")
    mri.project(root, ("prod", "test.yaml"))
    made = Containers(root, root / "deploy" / "prod-test", port)
    try:
        run([str(made.folder / "deploy.sh"), "up"], timeout_s=300)
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "2", check=False)


def test_doctor_finds_nothing_wrong(containers: Containers) -> None:
    doctors.finds_nothing(containers.compose)


def test_the_right_answer(containers: Containers) -> None:
    ids = containers.jobs("knee.npy", "knee.nii.gz")
    for answer in containers.ask("wait", *ids):
        said = answer["said"]
        assert isinstance(said, dict)
        assert said["state"] == "done", said
        assert abs(said["volume_ml"] - TRUTH_ML) < WITHIN_ML


@pytest.mark.parametrize(
    ("variable", "status"),
    [("MIN_FREE_MB=999999999", 507), ("MAX_WAITING=0", 503), ("CELERY_BROKER_URL=redis://no/0", 503)],
)
def test_refusals_that_depend_on_the_machine(containers: Containers, variable: str, status: int) -> None:
    """A second web process in the same container, told that the disk is full, the queue is full, or elsewhere."""
    start = "uvicorn backend.main:app --port 8001 >/dev/null 2>&1 & sleep 1; "
    ask = "import sys, time, urllib.request, urllib.error\n" + (
        'body = b\'--x\\r\\nContent-Disposition: form-data; name="scan"; filename="a"\\r\\n\\r\\nz\\r\\n--x--\\r\\n\'\n'
        "request = urllib.request.Request('http://127.0.0.1:8001/analyze', body, "
        "{'Content-Type': 'multipart/form-data; boundary=x'})\n"
        "for _ in range(300):\n"
        "    try:\n        urllib.request.urlopen(request)\n"
        "    except urllib.error.HTTPError as error:\n        sys.exit(print(error.code, error.read().decode()))\n"
        "    except OSError:\n        time.sleep(0.2)\n"
    )
    words = ("exec", "-T", "--env", variable, "web", "sh", "-c", start + 'python -c "$1"; kill $!', "sh", ask)
    said = containers.compose(*words)
    assert said.startswith(str(status)), said


def test_children_keep_what_their_parent_holds_from_their_collector(containers: Containers) -> None:
    """A second worker in the same container that imports the rendered module: its child tells what it inherited."""
    app = (
        "import gc, os\nfrom celery import Celery\nfrom celery.signals import worker_process_init\n"
        "app = Celery()\n@worker_process_init.connect\ndef tell(**_):\n"
        "    print(f'FROZEN {gc.get_freeze_count()}')\n    os.kill(os.getppid(), 15)\n"
    )
    worker = yaml.safe_load((containers.folder / "compose.yaml").read_text())["services"]["worker"]
    module = next(mount["target"] for mount in worker["volumes"] if mount["target"].endswith("/worker_heartbeat.py"))
    start = (
        'printf %s "$1" >/tmp/probe.py; '
        'PYTHONPATH="/tmp:${2%/*}" timeout 60 celery --app probe worker -Q probe --concurrency 1 $3 2>&1 || true'
    )
    for include, frozen in (("--include worker_heartbeat", True), ("", False)):
        said = containers.compose("exec", "-T", "worker", "sh", "-c", start, "sh", app, module, include)
        told = [int(line.split("FROZEN")[1]) for line in said.splitlines() if "FROZEN" in line]
        assert told, said
        assert (told[0] > 10_000) is frozen, said


def test_a_killed_process_costs_no_job(containers: Containers) -> None:
    ids = containers.jobs(*["large.npy"] * 4)
    ask = f"redis-cli hget job:{ids[-1]} state"
    wait = f"i=0; until {ask} | grep -q running; do i=$((i+1)); [ $i -lt 600 ] || exit 1; sleep 0.1; done"
    containers.compose("exec", "-T", "queue", "sh", "-c", wait)
    pid = containers.compose("exec", "-T", "queue", "redis-cli", "hget", f"job:{ids[-1]}", "pid").strip()
    containers.compose("exec", "-T", "worker", "python", "-c", f"import os; os.kill({pid}, 9)")
    assert [answer["said"]["state"] for answer in containers.ask("wait", *ids)] == ["done"] * 4


def test_a_restart_of_everything_keeps_jobs(containers: Containers) -> None:
    old = containers.jobs("knee.npy")
    containers.compose("restart")
    new = containers.jobs("knee.npy")
    states = [answer["said"]["state"] for answer in containers.ask("wait", *old, *new)]
    assert states == ["done", "done"]


def test_it_verifies(tmp_path: Path) -> None:
    """`mlpack verify prod`: built, started, every request of mlpack.yaml through the proxy, under load."""
    mri.trained(mri.app_image())
    lock = mri.project(tmp_path / "project", ("prod",), requests=8)
    report = verify(tmp_path / "project", lock, launcher="compose", progress=print)
    found = {result.name: (result.status, result.summary, result.evidence) for result in report.checks}
    # later than its start period on a busy machine is said to be unproven; later on a quiet one fails
    assert found["ready"][0] in ("passed", "not_proven"), found["ready"]
    for name in ("builds", "starts", "every_worker", "planned", "answers", "teardown"):
        assert found[name][0] == "passed", (name, found[name])
    assert found["memory"][0] in ("passed", "not_proven"), found["memory"]
    assert [row for row in report.services if row.oom_kills] == []
    assert [one for one in engine.labelled(os.environ) if f" pid={os.getpid()} " in one.label] == []
