"""The moderation example as committed: verified in containers, its models there once, and the same from a hub."""

from __future__ import annotations

import json
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e import doctors
from tests.e2e.weights import built, made_in_image

from mlpack.flow import gather, output_folder, produce
from mlpack.launchers.override import verify_image
from mlpack.lock import Lock
from mlpack.process import run
from mlpack.report import CheckResult, VerifyReport
from mlpack.verify import verify
from mlpack.write import read_lock, world_for_render, write

pytestmark = pytest.mark.engine
EXAMPLE = Path(__file__).parents[2] / "examples" / "moderation"
IMAGE = verify_image("moderation:prod")
NAMES = ("theme", "sentiment", "emotion", "safety")
HUB_IMAGE = "mlpack-test-moderation-hub"
HUB_HOME = "/opt/moderation/hub-models"
COMMIT = "0" * 40
KIND = "the match and the team were lovely . i feel happy today . thank you for reading"
KIND_LABELS = {"theme": "sport", "sentiment": "positive", "emotion": "joy", "safety": "safe"}
UNKIND = "i will hurt you . the soup and the bread were awful . i feel furious today"
UNKIND_LABELS = {"theme": "food", "sentiment": "negative", "emotion": "anger", "safety": "unsafe"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with what is committed under deploy/, its weights made in its own image."""
    root = tmp_path_factory.mktemp("moderation") / "project"
    left_out = (".venv", "__pycache__", "logs", "weights", "verify.json")
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(*left_out))
    built(root, "prod", IMAGE)
    made_in_image(root, IMAGE, "moderation", "make_weights.py")
    return root


def lock_of(root: Path, profile: str) -> Lock:
    """The committed lock of ``profile``."""
    lock = read_lock(root / "deploy" / profile)
    assert lock is not None
    return lock


@pytest.fixture(scope="module")
def report(project: Path) -> VerifyReport:
    """The one verification of prod."""
    return verify(project, lock_of(project, "prod"), launcher="compose", progress=print)


def check(report: VerifyReport, name: str) -> CheckResult:
    return next(result for result in report.checks if result.name == name)


def test_prod_answers_rightly_under_its_limit(project: Path, report: VerifyReport) -> None:
    web = lock_of(project, "prod").plan.services["web"]
    unwanted = [(r.name, r.status, r.summary, r.evidence) for r in report.checks if r.status in ("failed", "skipped")]
    assert unwanted == []
    answers = [line.partition(" (")[0] for line in check(report, "answers").evidence]
    assert answers == [f"{name}: as expected" for name in ("kind", "unkind", "long", "too-long")]
    assert f"{web.workers.value} of {web.workers.value} workers" in check(report, "every_worker").evidence[0]
    assert report.load is not None
    assert report.load.errors == 0
    (measured,) = report.services
    assert measured.oom_kills == 0
    assert measured.peak_need_bytes <= measured.limit_bytes == web.memory.limit_bytes.value
    assert web.footprint_source == "measured"


def test_the_fork_was_proven_before_it_was_planned(project: Path, report: VerifyReport) -> None:
    """Loaded before the fork only where forked processes were seen to answer; then the workers' PSS says "once"."""
    lock = lock_of(project, "prod")
    web, footprint = lock.plan.services["web"], lock.footprints["web"]
    assert web.preload.value is (footprint.fork_proven and web.workers.value > 1)
    if web.preload.value:
        assert check(report, "models_once").status == "passed"
        assert "each worker shares" in check(report, "models_once").evidence[0]


class Served:
    """A rendered deployment with the image that was verified, on a port of its own."""

    def __init__(self, root: Path, folder: str, override: Path, image: str = IMAGE, **changed: dict[str, Any]) -> None:
        self.folder, self.override = root / "deploy" / folder, override
        self.name = f"moderation-t{uuid.uuid4().hex[:8]}"
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]
        services: dict[str, Any] = {"mlpack-folders": {"image": image}} | changed
        services["web"] = {"image": image, "ports": "PORTS"}
        port = [{"target": 5000, "host_ip": "127.0.0.1", "published": str(self.port)}]
        text = json.dumps({"services": services}).replace('"PORTS"', f"!override {json.dumps(port)}")
        override.write_text(text)

    def compose(self, *words: str) -> str:
        files = ("--file", str(self.folder / "compose.yaml"), "--file", str(self.override))
        argv = ["docker", "compose", "--project-name", self.name, *files, *words]
        return run(argv, cwd=self.folder, timeout_s=300).stdout

    @contextmanager
    def up(self) -> Iterator[None]:
        try:
            self.compose("up", "--no-build", "--detach", "--wait", "--wait-timeout", "280")
            yield
        finally:
            self.compose("down", "--volumes", "--timeout", "5")

    def inside(self, program: str) -> str:
        return self.compose("exec", "-T", "web", "python", "-c", program)

    def ask(self, text: object) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/analyze"
        return httpx.post(url, json={"text": text}, timeout=120, trust_env=False)

    def labels(self, text: str) -> dict[str, str]:
        answer = self.ask(text)
        assert answer.status_code == 200, answer.text
        return {name: found["label"] for name, found in answer.json().items()}


PSS = """
import json, os
found = {}
for pid in filter(str.isdigit, os.listdir("/proc")):
    file = ""
    try:
        lines = open(f"/proc/{pid}/smaps").read().splitlines()
    except OSError:
        continue
    for words in map(str.split, lines):
        if not words[0].endswith(":"):
            file = words[-1] if words[-1].endswith(".safetensors") else ""
        elif file and words[0] in ("Rss:", "Pss:"):
            of = found.setdefault(pid, {}).setdefault(file, {"Rss:": 0, "Pss:": 0})
            of[words[0]] += int(words[1]) * 1024
print(json.dumps(found))
"""
"""Process -> weights file -> what is mapped of it, and its share of that."""


def test_dev_maps_every_model_once_and_says_why_it_refuses(project: Path, report: VerifyReport, tmp_path: Path) -> None:
    """Each worker maps every model's file; their proportional shares together are at most one copy of each."""
    assert report.passed
    workers = lock_of(project, "dev").plan.services["web"].workers.value
    served = Served(project, "dev", tmp_path / "compose.json")
    with served.up():
        for _ in range(4 * workers):
            assert served.labels(KIND) == KIND_LABELS
            assert served.labels(UNKIND) == UNKIND_LABELS
        found: dict[str, dict[str, dict[str, int]]] = json.loads(served.inside(PSS))
        holders = [files for files in found.values() if len(files) == len(NAMES)]
        assert len(holders) >= workers
        for name in NAMES:
            path = f"/opt/moderation/weights/{name}/model.safetensors"
            size = (project / "weights" / name / "model.safetensors").stat().st_size
            # How many pages one fault maps besides depends on what the page cache holds: 0.48 of a file was seen.
            assert max(files[path]["Rss:"] for files in holders) > 0.25 * size
            # Pss is told in whole KiB of every mapping: tensors are views of a few.
            assert sum(files[path]["Pss:"] for files in holders) <= 1.05 * size + 16 * 1024
        for text, status, words in (
            ("", 400, "empty"),
            (5, 400, "string"),
            ("the team . " * 300, 413, "512 are the most"),
            ("x" * 70_000, 413, "64 KiB"),
        ):
            answer = served.ask(text)
            assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
        url, half = f"http://127.0.0.1:{served.port}/analyze", b'{"text": "a\\ud800b"}'
        answer = httpx.post(url, content=half, headers={"Content-Type": "application/json"}, trust_env=False)
        assert (answer.status_code, "character 2" in answer.json()["error"]) == (400, True), answer.text
        assert served.inside(OFFLINE).split()[0] == "True"
        doctors.finds_nothing(served.compose)
        log = (project / "logs" / "moderation.log").read_text()
    assert "characters" in log
    assert "match" not in log, "texts are not kept"


OFFLINE = "from huggingface_hub import constants as c; print(c.HF_HUB_OFFLINE, c.HF_HUB_CACHE)"


def fill(cache: Path, project: Path, names: dict[str, str]) -> None:
    """The hub client's cache, as a download leaves it, with the example's own weights under the hub's names."""
    for name, hub in names.items():
        folder = cache / f"models--{hub.replace('/', '--')}"
        shutil.copytree(project / "weights" / name, folder / "snapshots" / COMMIT)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text(COMMIT)


def test_models_of_a_hub_are_served_offline_from_its_volume(
    project: Path, report: VerifyReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`prod hub`: sized from this machine's cache, rendered with HF_HOME on a volume, served with no hub in reach."""
    assert report.passed
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    profiles = ("prod", "hub")
    hubs = {name: model.hub or "" for name, model in gather(project, profiles).spec.models.items()}
    fill(tmp_path / "hf" / "hub", project, hubs)
    gathered = gather(project, profiles)
    host = lock_of(project, "prod").world.host
    world, _ = world_for_render(
        None, gathered.spec.models, gathered.present, probed=lambda: host, reprobe=False, host=None
    )
    made = produce(gathered, world)
    write(output_folder(project, profiles), None, made.lock, made.artifacts)
    built(project, "prod-hub", HUB_IMAGE)
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HTTP_PROXY": "", "HTTPS_PROXY": ""}  # nobody answers there
    step = {"image": HUB_IMAGE, "environment": nowhere}
    served = Served(project, "prod-hub", tmp_path / "compose.json", HUB_IMAGE, **{"web-step-1": step})
    try:
        served.compose("create", "--no-build")
        volume = f"{served.name}_hub-models:{HUB_HOME}"
        mounts = ["--volume", f"{tmp_path / 'hf'}:/from:ro", "--volume", volume]
        run(["docker", "run", "--rm", *mounts, HUB_IMAGE, "cp", "-r", "/from/hub", HUB_HOME])
        with served.up():
            assert served.labels(KIND) == KIND_LABELS
            assert served.inside(OFFLINE).split() == ["True", f"{HUB_HOME}/hub"]
    finally:
        served.compose("down", "--volumes", "--timeout", "5")
