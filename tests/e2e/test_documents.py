"""The documents example for real: Django, Celery, PostgreSQL, Redis and llama.cpp's server, as rendered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.e2e import documents, standins
from tests.e2e.documents import TRUTH, Containers
from tests.e2e.test_mri_hybrid import free_port

from mlpack.process import run

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
    standins.provide("redis", "postgres", "llama")
    made = Containers(tmp_path_factory.mktemp("documents") / "project", free_port())
    try:
        made.said = made.up()
        yield made
    finally:
        made.down()


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


def test_no_secret_is_shown_or_baked(system: Containers) -> None:
    names = ("db-password", "queue-password", "django-key")
    rendered = "".join(path.read_text() for path in system.folder.iterdir() if path.is_file())
    shown = system.compose("logs") + system.compose("top") + system.said
    baked = run(["docker", "image", "inspect", documents.IMAGE]).stdout
    baked += run(["docker", "history", "--no-trunc", documents.IMAGE]).stdout
    for name in names:
        value = system.secret(name)
        assert len(value) >= 32
        for text in (rendered, shown, baked):
            assert value not in text, name


@pytest.mark.usefixtures("system")
def test_models_are_not_in_the_image() -> None:
    found = run(["docker", "run", "--rm", documents.IMAGE, "find", "/opt/documents", "-name", "*.gguf"]).stdout
    assert found.strip() == ""
