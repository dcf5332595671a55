"""`manage.py healthcheck`: queue, broker, database, language model, memory and one real inference, as JSON.

It is a process like the worker's own: `docker compose run --rm --no-deps worker python manage.py healthcheck` gives it
a container of its own, beside the running one, whose limit has no room for it.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.celery import app
from django.core.management.base import BaseCommand
from django.db import connection

from forms import fields, queue
from forms.pdf import Content
from forms.tasks import client

SAMPLE = "Tax year: 2023\nName: Eva Example\nTax ID: 222-33-4444\nWages: 2500.00\nTax withheld: 300.00"
WITHIN_S = float(os.environ.get("CHECK_WITHIN_S", "60"))
LEAST_FREE_SHARE = 0.05


class Command(BaseCommand):
    """Exits 1 when anything is wrong, and says what."""

    help = "Check queue, broker, database, language model, memory and one real inference."

    def handle(self, **_: Any) -> None:
        checks = {"broker": _broker, "queue": _queue, "database": _database, "llm": _llm, "memory": _memory}
        said = {name: _outcome(check) for name, check in (checks | {"inference": _inference}).items()}
        self.stdout.write(json.dumps(said, indent=1))
        if not all(one["ok"] for one in said.values()):
            raise SystemExit(1)


def _outcome(check: Callable[[], str]) -> dict[str, object]:
    try:
        return {"ok": True, "said": check()}
    except Exception as error:  # whatever is wrong, the other checks still run
        return {"ok": False, "said": f"{type(error).__name__}: {error}"}


def _broker() -> str:
    with queue.broker() as broker:
        return "answers" if broker.ping() else "does not answer"


def _queue() -> str:
    workers = app.control.ping(timeout=3)
    if not workers:
        raise RuntimeError("no worker answers")
    return f"{queue.waiting()} waiting, {len(workers)} worker(s) answer"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from forms_document")
        return f"{cursor.fetchone()[0]} documents"


def _llm() -> str:
    why = client().loaded()
    if why:
        raise RuntimeError(why)
    return "loaded"


def _memory() -> str:
    """The machine's: what can be had without pushing anything out; each container's limit is the engine's to watch."""
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(values[name].split()[0]) // 1024 for name in ("MemTotal", "MemAvailable"))
    if free < LEAST_FREE_SHARE * total:
        raise RuntimeError(f"{free} of {total} MiB are left")
    return f"{free} of {total} MiB are left"


def _inference() -> str:
    started, content = time.monotonic(), Content(SAMPLE, ())
    answer = client().ask(fields.messages(content), fields.schema(content), within_s=WITHIN_S)
    found = fields.validate(answer, content)
    if found["tax_id"] != "222-33-4444":
        raise RuntimeError(f"a wrong answer: {answer}")
    return f"right after {time.monotonic() - started:.1f} s"
