"""The hybrid shape for real: web, queue and proxy in containers, the worker a unit of a host that boots systemd."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import mri, standins
from tests.e2e.booted import Booted, provide_host
from tests.e2e.test_mri import TRUTH_ML, WITHIN_ML, wait_active

from mlpack.process import run

pytestmark = pytest.mark.engine
ROOT = Path("/opt/mri-pipeline")
"""On the engine's machine as well: containers and units see one folder at one path."""
WORKER = "mri-pipeline-worker.service"


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Hybrid:
    """Containers on the engine, the worker on ``host``, which shares the engine's network and the project's folder."""

    def __init__(self, host: Booted, folder: Path, port: int) -> None:
        self.host, self.folder, self.base = host, folder, f"https://knee.localhost:{port}"

    def ask(self, *words: str) -> list[dict[str, Any]]:
        """The client's answers, asked on the host."""
        return mri.ask(("docker", "exec", self.host.name), self.base, *words)

    def compose(self, *words: str) -> str:
        """`docker compose` in the rendered folder."""
        argv = ["docker", "compose", "--file", str(self.folder / "compose.yaml"), *words]
        return run(argv, timeout_s=180, check=False).stdout


@pytest.fixture(scope="module")
def hybrid() -> Iterator[Hybrid]:
    assert not ROOT.exists(), f"{ROOT} is in the way: a test needs this path"
    image = mri.app_image()
    mri.trained(image)
    standins.provide("redis", "caddy")
    queue, proxy = free_port(), free_port()
    profile = (
        f"host: {{python: /opt/venv/bin/python}}\n"
        f"services: {{queue: {{publish: {queue}}}, proxy: {{publish: {proxy}}}, web: {{image: '{image}'}}}}\n"
    )
    try:
        ROOT.mkdir(mode=0o755)
        (ROOT / "test.yaml").write_text(profile)
        mri.project(ROOT, ("prod", "hybrid", "test.yaml"))
        folder = ROOT / "deploy" / "prod-hybrid-test"
        with Booted(provide_host(image), {str(ROOT): str(ROOT)}, network="host") as host:
            made = Hybrid(host, folder, proxy)
            try:
                done = host.run(str(folder / "systemd" / "install.sh"), "secrets", check=False)
                assert done.code == 0, done.stderr
                (ROOT / "data").mkdir(exist_ok=True)
                run([str(folder / "deploy.sh"), "up"], timeout_s=300)
                done = host.run(str(folder / "systemd" / "install.sh"), check=False, timeout_s=300)
                assert done.code == 0, done.stdout + done.stderr
                yield made
            finally:
                made.compose("down", "--volumes", "--timeout", "2")
    finally:
        shutil.rmtree(ROOT, ignore_errors=True)


def test_an_upload_of_the_container_is_segmented_on_the_host(hybrid: Hybrid) -> None:
    (answer,) = hybrid.ask("upload", f"{ROOT}/samples/knee.npy")
    assert answer["status"] == 202, answer
    job = str(answer["said"]["id"])
    (said,) = hybrid.ask("wait", job)
    assert said["said"]["state"] == "done", said
    assert abs(said["said"]["volume_ml"] - TRUTH_ML) < WITHIN_ML
    (mask,) = hybrid.ask("get", f"/jobs/{job}/mask.npy")
    assert mask["status"] == 200
    owners = {path.stat().st_uid for path in (ROOT / "data" / job).iterdir()}
    assert owners == {10001}, "both sides write as the same user"


def test_the_queue_is_on_loopback_and_wants_its_password(hybrid: Hybrid) -> None:
    ports = hybrid.compose("ps", "--format", "{{.Ports}}", "queue")
    assert "127.0.0.1:" in ports
    assert "0.0.0.0" not in ports
    said = hybrid.compose("exec", "-T", "--env", "REDISCLI_AUTH=", "queue", "redis-cli", "ping")
    assert "NOAUTH" in said


def test_a_killed_child_costs_no_job(hybrid: Hybrid) -> None:
    ids = [str(a["said"]["id"]) for a in hybrid.ask("upload", *[f"{ROOT}/samples/large.npy"] * 4)]
    ask = f"redis-cli hget job:{ids[-1]} state"
    wait = f"i=0; until {ask} | grep -q running; do i=$((i+1)); [ $i -lt 600 ] || exit 1; sleep 0.1; done"
    hybrid.compose("exec", "-T", "queue", "sh", "-c", wait)
    hybrid.host.run("sh", "-c", f"kill -KILL $(pgrep --parent $(systemctl show -P MainPID {WORKER}) | tail -1)")
    assert [a["said"]["state"] for a in hybrid.ask("wait", *ids)] == ["done"] * 4


def test_both_sides_come_back_after_a_reboot(hybrid: Hybrid) -> None:
    (old,) = hybrid.ask("upload", f"{ROOT}/samples/knee.npy")
    hybrid.compose("restart")
    hybrid.host.reboot()
    wait_active(hybrid.host, WORKER)
    (new,) = hybrid.ask("upload", f"{ROOT}/samples/knee.npy")
    ids = [str(answer["said"]["id"]) for answer in (old, new)]
    assert [a["said"]["state"] for a in hybrid.ask("wait", *ids)] == ["done", "done"]
