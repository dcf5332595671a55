"""The segmentation example as committed: verified in containers, looked at in a browser, and starved to see it said."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import struct
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from PIL import Image
from tests.artifacts import write_files
from tests.e2e import browser, doctors

from mlpack.launchers import engine
from mlpack.launchers.override import verify_image
from mlpack.lock import Lock
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.report import CheckResult, VerifyReport
from mlpack.units import MIB
from mlpack.verify import verify
from mlpack.write import read_lock

pytestmark = pytest.mark.engine
EXAMPLE = Path(__file__).parents[2] / "examples" / "segmentation"
LEFT_OUT = (".venv", "__pycache__", "data", "logs", "verify.json")
LOWER = 0.75
"""Of the rendered limit: what the service does not live with."""
ASKED_OF_PROD = ("growth", "refuses", "health_hung", "recovers")
"""Checks that neither a lower limit nor the dev profile has anything to do with; each takes a while."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, with what is committed under deploy/."""
    root = tmp_path_factory.mktemp("segmentation") / "project"
    assert (EXAMPLE / "weights" / "unet.keras").is_file(), "run examples/segmentation/train.py first"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return root


def lock_of(root: Path, profile: str) -> Lock:
    """The committed lock of ``profile``."""
    lock = read_lock(root / "deploy" / profile)
    assert lock is not None
    return lock


@pytest.fixture(scope="module")
def report(project: Path) -> VerifyReport:
    """The one verification of prod that several tests look at."""
    return verify(project, lock_of(project, "prod"), launcher="compose", progress=print)


def check(report: VerifyReport, name: str) -> CheckResult:
    """The result of check ``name``."""
    return next(result for result in report.checks if result.name == name)


def text(result: CheckResult) -> str:
    """Everything a result says."""
    return "\n".join((result.summary, *result.evidence, result.hint or ""))


def test_prod_bears_the_largest_picture_under_its_limit(project: Path, report: VerifyReport) -> None:
    web = lock_of(project, "prod").plan.services["web"]
    unwanted = [(r.name, r.status, r.summary, r.evidence) for r in report.checks if r.status in ("failed", "skipped")]
    assert unwanted == []
    assert f"{web.workers.value} of {web.workers.value} workers" in check(report, "every_worker").evidence[0]
    answers = [line.partition(" (")[0] for line in check(report, "answers").evidence]
    assert answers == ["cells: as expected", "small: as expected", "too-large: as expected"]
    assert report.load is not None
    assert report.load.errors == 0
    assert report.load.concurrency == 2 * web.workers.value * web.concurrency.value
    (measured,) = report.services
    assert measured.oom_kills == 0
    assert measured.peak_need_bytes <= measured.limit_bytes == web.memory.limit_bytes.value
    assert web.footprint_source == "measured"


def test_under_three_quarters_of_it_verify_says_why_it_fails(
    project: Path, report: VerifyReport, tmp_path: Path
) -> None:
    """The crash that was reported: a limit chosen by hand, below the peak of the largest picture."""
    assert report.passed
    root = tmp_path / "project"
    shutil.copytree(project, root, ignore=shutil.ignore_patterns("data", "logs"))
    lock = lock_of(root, "prod")
    plan = starved(lock.plan)
    write_files(plan, root, web=(EXAMPLE / "requirements.txt").read_text().splitlines())
    found = verify(root, lock.model_copy(update={"plan": plan}), launcher="compose", progress=print, skip=ASKED_OF_PROD)
    assert not found.passed
    said = "\n".join(text(result) for result in found.checks if result.status == "failed")
    assert "for memory" in said or "it thrashes" in said or "it would thrash or be killed" in said, said
    assert "mlpack estimate --measure" in said
    assert check(found, "teardown").status == "passed"


def starved(plan: Plan) -> Plan:
    """``plan`` with a limit a quarter lower, and nothing else changed."""
    web = plan.services["web"]
    limit = web.memory.limit_bytes
    lower = limit.model_copy(update={"value": int(LOWER * limit.value / MIB) * MIB, "because": "chosen by hand"})
    kept = web.memory.reservation_bytes.model_copy(update={"value": lower.value})
    memory = web.memory.model_copy(update={"limit_bytes": lower, "reservation_bytes": kept})
    return plan.model_copy(update={"services": {**plan.services, "web": web.model_copy(update={"memory": memory})}})


class Served:
    """prod's container as rendered, on a port of its own."""

    def __init__(self, root: Path, override: Path) -> None:
        self.folder, self.override = root / "deploy" / "prod", override
        self.name = f"segmentation-t{uuid.uuid4().hex[:8]}"
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def compose(self, *words: str) -> str:
        files = ("--file", str(self.folder / "compose.yaml"), "--file", str(self.override))
        argv = ["docker", "compose", "--project-name", self.name, *files, *words]
        return run(argv, cwd=self.folder, timeout_s=300).stdout

    def inside(self, program: str) -> str:
        """What a Python program prints inside the container."""
        return self.compose("exec", "-T", "web", "python", "-c", program)

    def send(self, content: bytes, name: str = "picture.png") -> httpx.Response:
        return httpx.post(f"{self.url}/segment", files={"image": (name, content)}, timeout=120)


@pytest.fixture(scope="module")
def served(project: Path, report: VerifyReport, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The image that was verified, started without building it again."""
    assert report.passed
    override = tmp_path_factory.mktemp("override") / "compose.json"
    found = Served(project, override)
    image = verify_image("segmentation:prod")
    port = [{"target": 8000, "host_ip": "127.0.0.1", "published": str(found.port)}]
    text_ = json.dumps({"services": {"web": {"image": image, "ports": "PORTS"}, "mlpack-folders": {"image": image}}})
    override.write_text(text_.replace('"PORTS"', f"!override {json.dumps(port)}"))
    try:
        found.compose("up", "--no-build", "--detach", "--wait", "--wait-timeout", "280")
        yield found
    finally:
        found.compose("down", "--volumes", "--timeout", "5")


def test_doctor_finds_nothing_wrong(served: Served) -> None:
    doctors.finds_nothing(served.compose)


def test_weights_are_mounted_read_only_and_not_in_the_image(served: Served) -> None:
    said = served.inside(
        "import os; print(os.access('weights/unet.keras', os.W_OK), os.path.ismount('weights/unet.keras'))"
    )
    assert said.split() == ["False", "True"]
    image = verify_image("segmentation:prod")
    inside = run(["docker", "run", "--rm", "--entrypoint", "find", image, ".", "-type", "f"]).stdout.split()
    assert {"./app.py", "./templates/index.html"} <= set(inside)
    assert not [path for path in inside if path.startswith(("./weights/", "./data/", "./logs/", "./.venv/"))]


THREADS = """
import collections, json, os
found = {}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        tasks = [f"/proc/{pid}/task/{task}/comm" for task in os.listdir(f"/proc/{pid}/task")]
        names = collections.Counter(open(task).read().strip() for task in tasks)
        own = open(f"/proc/{pid}/comm").read().strip()
    except OSError:
        continue
    if names["tf_graph_runner"]:
        found[pid] = {"within": names[own] - NOT_OF_A_POOL, "between": names["tf_Compute"]}
print(json.dumps(found))
"""


def test_the_pools_of_the_running_workers_are_as_planned(served: Served, project: Path) -> None:
    web = lock_of(project, "prod").plan.services["web"]
    content = (EXAMPLE / "samples" / "cells-1024.jpg").read_bytes()
    for _ in range(6):
        assert served.send(content).status_code == 200
    program = THREADS.replace("NOT_OF_A_POOL", "1")  # the main thread; the rest is the pool's
    found: dict[str, Any] = json.loads(served.inside(program))
    assert len(found) == web.workers.value
    for threads in found.values():
        assert threads == {"within": web.threads.value, "between": 1}


def test_uploads_that_cannot_be_used_are_told_why(served: Served) -> None:
    cells = (EXAMPLE / "samples" / "cells-360.png").read_bytes()
    for content, status, words in (
        (b"hello, I am a text" * 10, 415, "no PNG or JPEG"),
        (b"", 400, "empty"),
        (b"GIF89a" + bytes(100), 415, "no PNG or JPEG"),
        (cells[: len(cells) // 2], 422, "damaged or incomplete"),
        (jpeg()[:3000], 422, "damaged or incomplete"),
        (bomb(10_000), 413, "10000 x 10000"),
        (bomb(60_000), 413, "too large"),
        (bytes(9 * 1024**2), 413, "larger than 8 MiB"),
        ((EXAMPLE / "samples" / "blank-4096.png").read_bytes(), 413, "at most 1024 x 1024"),
    ):
        answer = served.send(content)
        assert answer.status_code == status, (answer.status_code, answer.text, words)
        assert words in answer.json()["error"]
    assert httpx.post(f"{served.url}/segment", timeout=60).status_code == 400
    for path in ("/masks/0000.png", "/masks/..%2f..%2fapp.png", f"/pictures/{'0' * 20}", "/analyses/x.json"):
        assert httpx.get(served.url + path, timeout=60).status_code == 404
    assert served.send(cells).status_code == 200


def jpeg() -> bytes:
    packed = io.BytesIO()
    Image.effect_noise((200, 200), 60).save(packed, "JPEG")
    return packed.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of ``side`` x ``side`` white pixels, in kilobytes: 100 megapixels and more once unpacked."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    packed = zlib.compress(bytes(side * 100), 9)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def test_the_page_in_a_browser(served: Served, project: Path, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("MLPACK_TEST_PICTURES", tmp_path))
    with browser.page() as page:
        page.goto(served.url)
        page.set_input_files("#file", EXAMPLE / "samples" / "cells-1024.jpg")
        page.wait_for_selector("#result[data-id]", timeout=120_000)
        name = page.get_attribute("#result", "data-id")
        found = httpx.get(f"{served.url}/analyses/{name}.json", timeout=60).json()
        assert page.inner_text("#count") == str(found["count"])
        assert 90 <= found["count"] <= 125  # 108 regions were drawn
        assert len(page.query_selector_all("#cells tr")) == 8
        assert tinted(page, "#view") > 0.8  # of the pixels that the mask holds
        page.wait_for_selector("#earlier img")
        pictures.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=pictures / "segmentation.png", full_page=True)

        page.fill("#scale", "0.5")
        assert page.inner_text("#mean").endswith("µm²")
        page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": bomb(10_000)})
        page.wait_for_selector("#message:visible", timeout=60_000)
        assert "10000 x 10000" in page.inner_text("#message")
        page.set_input_files("#file", {"name": "y.png", "mimeType": "image/png", "buffer": bytes(9 * 1024**2)})
        page.wait_for_selector("#message:has-text('8 MiB')", timeout=60_000)
    for folder in ("raw", "segmented", "analyzed"):
        assert list((project / "data" / folder).glob(f"{name}*")), folder
    assert name is not None
    assert name in (project / "logs" / "segmentation.log").read_text()


def tinted(page: Any, canvas: str) -> float:
    """Of the mask's pixels, the share that the page has drawn in its tint: greener than red, which no stain is."""
    share: float = page.evaluate(
        """async (canvas) => {
            const id = document.querySelector('#result').dataset.id;
            const mask = new Image();
            mask.src = `/masks/${id}.png`;
            await mask.decode();
            const sheet = document.createElement('canvas');
            Object.assign(sheet, {width: mask.naturalWidth, height: mask.naturalHeight});
            const context = sheet.getContext('2d');
            context.drawImage(mask, 0, 0);
            const inside = context.getImageData(0, 0, sheet.width, sheet.height).data;
            const view = document.querySelector(canvas);
            const drawn = view.getContext('2d').getImageData(0, 0, view.width, view.height).data;
            let count = 0, green = 0;
            for (let at = 0; at < inside.length; at += 4) {
                if (inside[at] < 128) continue;
                count += 1;
                if (drawn[at + 1] > drawn[at]) green += 1;
            }
            return green / count;
        }""",
        canvas,
    )
    return share


def test_dev_answers_as_expected(project: Path, report: VerifyReport) -> None:
    """Last: its image takes the name of prod's, whose container runs until here."""
    assert report.passed
    found = verify(project, lock_of(project, "dev"), launcher="compose", progress=print, skip=("load", *ASKED_OF_PROD))
    assert [(r.name, r.summary) for r in found.checks if r.status == "failed"] == []
    assert check(found, "answers").status == "passed"


def test_the_engine_has_nothing_of_it(report: VerifyReport) -> None:
    assert check(report, "teardown").status == "passed"
    assert [found for found in engine.labelled(os.environ) if f" pid={os.getpid()} " in found.label] == []


def test_the_largest_picture_is_the_same_everywhere() -> None:
    """mlpack.yaml, the app's own check and the sample that memory is measured with."""
    spec = yaml.safe_load((EXAMPLE / "mlpack.yaml").read_text())
    side = spec["models"]["unet"]["max_input"]["shape"][0]
    assert f"MAX_SIDE = {side}\n" in (EXAMPLE / "pictures.py").read_text()
    with Image.open(EXAMPLE / "samples" / "cells-1024.jpg") as sample:
        assert sample.size == (side, side)
