"""The documents example for real: Django, Celery, PostgreSQL, Redis, Flower and llama.cpp's server, as rendered."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import doctors, documents, standins
from tests.e2e.documents import TRUTH, Containers
from tests.e2e.losing import members
from tests.e2e.test_mri_hybrid import free_port

from mlpack.launchers import engine
from mlpack.process import run
from mlpack.verify import verify

pytestmark = pytest.mark.engine
BESIDE = ("run", "--rm", "--no-deps", "--no-TTY")
"""In a container of its own, with the service's image, environment and limits: theirs has no room for guests."""
REFUSAL = (
    "import json, sys, django; django.setup()\n"
    "from django.test import Client\n"
    "from django.core.files.uploadedfile import SimpleUploadedFile\n"
    "file = SimpleUploadedFile('form.pdf', open('samples/form.pdf', 'rb').read())\n"
    "answer = Client(HTTP_HOST='localhost').post('/documents', {'pdf': file})\n"
    "print(answer.status_code, answer.json()['error'])\n"
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    documents.provide()
    standins.provide("redis", "postgres", "llama", "flower")
    flower = free_port()
    own = f"  flower: {{publish: {flower}}}\n"
    made = Containers(tmp_path_factory.mktemp("documents") / "project", free_port(), ("watch",), own)
    made.flower = f"http://127.0.0.1:{flower}"
    try:
        made.said = made.up()
        yield made
    finally:
        made.down()


def test_doctor_finds_nothing_wrong(system: Containers) -> None:
    doctors.finds_nothing(system.compose)


def test_the_right_answer_is_stored(system: Containers) -> None:
    form, large = (system.upload(documents.EXAMPLE / "samples" / name) for name in ("form.pdf", "large.pdf"))
    assert (form[0], large[0]) == (202, 202), (form, large)
    for _, taken in (form, large):
        said = system.ended(taken["id"])
        assert said["state"] == "done", said
        assert said["fields"] == TRUTH
        stored = system.sql(f"select fields from forms_document where id = '{taken['id']}' and state = 'done'")
        assert json.loads(stored) == TRUTH


def test_clear_refusals(system: Containers) -> None:
    form = documents.EXAMPLE / "samples" / "form.pdf"
    for content, status, said in (
        (b"a text file, whatever its name", 415, "no PDF"),
        (form.read_bytes()[:300], 422, "damaged"),
        (b"%PDF-1.4\n" + b"0" * (5 * 1024**2), 413, "larger than 4 MiB"),
    ):
        answer = system.upload(form, content)
        assert answer[0] == status, answer
        assert said in answer[1]["error"]
    assert system.ask("/documents/0123456789abcdef")[0] == 404
    assert system.ask("/documents")[0] == 405
    assert system.ask("/documents", b"--x--", {"Content-Type": "multipart/form-data; boundary=x"})[0] == 400
    assert system.ask("/health", None, {"Host": "elsewhere.example.org"})[0] == 400  # ALLOWED_HOSTS
    assert system.ask("/static/forms/style.css")[0] == 200  # collectstatic ran, and somebody serves it


@pytest.mark.parametrize(
    ("variable", "status", "said"),
    [
        ("MIN_FREE_MB=999999999", 507, "nearly full"),
        ("MAX_WAITING=0", 503, "queue is full"),
        ("CELERY_BROKER_URL=redis://no/0", 503, "queue does not answer"),
        ("DATABASE_URL=postgresql://postgres@no:5432/x", 503, "database does not answer"),
    ],
)
def test_refusals_that_depend_on_the_machine(system: Containers, variable: str, status: int, said: str) -> None:
    more = ("--env", variable, "--env", "DJANGO_SETTINGS_MODULE=config.settings")
    found = system.compose(*BESIDE, *more, "web", "python", "-c", REFUSAL)
    assert found.startswith(f"{status} "), found
    assert said in found


def test_the_health_command_asks_everything(system: Containers) -> None:
    said = json.loads(system.compose(*BESIDE, "worker", "python", "manage.py", "healthcheck"))
    assert sorted(said) == ["broker", "database", "inference", "llm", "memory", "queue"]
    assert all(one["ok"] for one in said.values()), said
    away = ("--env", "LLM_URL=http://llm:1", "--env", "CHECK_WITHIN_S=2")
    gone = system.compose(*BESIDE, *away, "worker", "python", "manage.py", "healthcheck", check=False)
    found = {name: one["ok"] for name, one in json.loads(gone).items()}
    assert (found["llm"], found["inference"], found["database"]) == (False, False, True), gone


def test_the_plan_is_in_force(system: Containers) -> None:
    script = (
        "import json; from config.celery import app; asked = app.control.inspect(timeout=5)\n"
        "print(json.dumps([asked.conf(with_defaults=True), asked.stats()], default=str))"
    )
    (conf,), (stats,) = (
        tuple(said.values()) for said in json.loads(system.compose(*BESIDE, "worker", "python", "-c", script))
    )
    worker = system.plan.services["worker"].times
    assert worker.redelivery_s is not None
    assert worker.soft_s is not None
    assert worker.hard_s is not None
    assert (conf["task_acks_late"], conf["task_reject_on_worker_lost"]) == (True, True)
    assert conf["broker_transport_options"]["visibility_timeout"] == worker.redelivery_s.value
    assert stats["prefetch_count"] == 3  # one for each process
    assert stats["pool"]["timeouts"] == [worker.soft_s.value, worker.hard_s.value]
    assert system.sql("show max_connections") == "50"
    slots = system.compose("exec", "-T", "llm", "curl", "--silent", "http://127.0.0.1:8080/slots")
    assert [one["n_ctx"] for one in json.loads(slots)] == [1024]
    threads = system.plan.services["llm"].threads.value
    log = system.compose("logs", "llm")
    assert f"n_threads = {threads}" in log
    assert "prompt cache is enabled" not in log  # 8 GiB by default
    for name, service in system.plan.services.items():
        found = run(["docker", "inspect", "--format", "{{.HostConfig.Memory}}", system.container(name)]).stdout
        assert int(found) == service.memory.limit_bytes.value


def test_flower_is_behind_its_password(system: Containers) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(system.flower, timeout=20)
    word = base64.b64encode(f"admin:{system.secret('flower-password')}".encode()).decode()
    request = urllib.request.Request(
        f"{system.flower}/api/workers?refresh=1", headers={"Authorization": f"Basic {word}"}
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                workers = json.load(answer)
        except urllib.error.HTTPError as error:
            workers = {}
            assert error.code == 503, "its API answers to whoever is let in"
        if workers or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert [name.partition("@")[0] for name in workers] == ["celery"]


def test_a_model_that_is_down_is_waited_for(system: Containers) -> None:
    """Whoever asks for the form is told what it waits for; nothing is lost."""
    system.compose("stop", "llm")
    try:
        document = str(system.upload(documents.EXAMPLE / "samples" / "form.pdf")[1]["id"])
        deadline = time.monotonic() + 60
        while not (said := system.state(document)).get("waits_for"):
            assert time.monotonic() < deadline, said
            time.sleep(0.2)
        assert said["state"] == "running"
        assert "the language model's server does not answer" in said["waits_for"]
    finally:
        system.compose("start", "llm")
    said = system.ended(document)
    assert (said["state"], said["fields"]) == ("done", TRUTH)


def test_no_secret_is_shown_or_baked(system: Containers) -> None:
    names = ("db-password", "queue-password", "flower-password", "django-key")
    rendered = "".join(path.read_text() for path in system.folder.iterdir() if path.is_file())
    shown = system.compose("logs") + system.compose("top") + system.said
    baked = run(["docker", "image", "inspect", system.image]).stdout
    baked += run(["docker", "history", "--no-trunc", system.image]).stdout
    for name in names:
        value = system.secret(name)
        assert len(value) >= 32
        for text in (rendered, shown, baked):
            assert value not in text, name


def test_a_hung_worker_is_ill_and_a_busy_one_is_not(system: Containers) -> None:
    """The rendered check itself, with less patience; the engine has asked it before anything was called ready."""
    worker = system.container("worker")
    words = ["docker", "inspect", "--format", "{{.State.Health.Status}} {{json .Config.Healthcheck.Test}}", worker]
    health, _, test = run(words).stdout.strip().partition(" ")
    assert health == "healthy"
    *check, oldest_s = json.loads(test)[1:]
    assert float(oldest_s) >= 30

    def age_at_most(seconds: float) -> bool:
        done = run(["docker", "exec", worker, *check, str(seconds)], check=False)
        assert done.code == 0 or "the last heartbeat was" in done.stdout, done.stdout + done.stderr
        return done.code == 0

    ids = [str(system.upload(documents.EXAMPLE / "samples" / "form.pdf")[1]["id"]) for _ in range(3)]
    system.until(ids[0], ("running", "done"))
    assert age_at_most(10), "three children compute"
    parent = min(members(worker), key=lambda one: (one[1] == 1, one[1]))[0]
    os.kill(parent, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 30
        while age_at_most(4):
            assert time.monotonic() < deadline, "nobody noticed"
            time.sleep(0.5)
    finally:
        os.kill(parent, signal.SIGCONT)
    assert [system.ended(document)["state"] for document in ids] == ["done"] * 3


TASKS, KILLS = 12, 3


def test_deaths_cost_no_document(system: Containers, tmp_path: Path) -> None:
    """SIGKILL to processes that run tasks, and to the language model: each form ends once (200: bench/)."""
    before = run(["docker", "inspect", "--format", "{{.RestartCount}}", system.container("llm")]).stdout
    seed = random.SystemRandom().randrange(1_000_000)
    said = documents.lose(system, tmp_path, TASKS, KILLS, seed, broker=False)
    assert (said["lost"], said["ended_otherwise"], said["wrong_results"]) == (0, 0, 0), said
    assert said["kills"] == KILLS
    assert said["states"] == {"done": TASKS} or said["reasons"], said
    assert said["ran_again"] >= 1, "tasks whose process died ran again"
    after = run(["docker", "inspect", "--format", "{{.RestartCount}}", system.container("llm")]).stdout
    assert int(after) == int(before) + 1


def test_it_verifies(tmp_path: Path) -> None:
    """`mlpack verify`: built, started, every request of mlpack.yaml to the end, under load, with a worker killed."""
    own = "verify: {concurrency: 2, requests: 4}\n"
    made = documents.Containers(tmp_path / "project", free_port(), own=own)
    report = verify(made.root, made.lock, launcher="compose", progress=print)
    found = {result.name: (result.status, result.summary, result.evidence) for result in report.checks}
    assert [said for said in found.items() if said[1][0] == "failed"] == []
    # later than its start period on a busy machine is said to be unproven; later on a quiet one fails
    assert found["ready"][0] in ("passed", "not_proven"), found["ready"]
    for name in ("builds", "starts", "planned", "answers", "load", "recovers", "stops", "teardown"):
        assert found[name][0] == "passed", (name, found[name])
    assert [row for row in report.services if row.oom_kills] == []
    assert [one for one in engine.labelled(os.environ) if f" pid={os.getpid()} " in one.label] == []


def test_nobody_watches_unless_asked(tmp_path: Path) -> None:
    """Flower is a profile of its own: prod has none."""
    plain = documents.Containers(tmp_path / "plain", free_port())
    assert "flower" not in plain.plan.services
    assert "flower" not in (plain.folder / "compose.yaml").read_text()


def test_models_are_not_in_the_image(system: Containers) -> None:
    found = run(["docker", "run", "--rm", system.image, "find", "/opt/documents", "-name", "*.gguf"]).stdout
    assert found.strip() == ""
