"""A form read from start to end as a worker's process does, for `mlpack estimate --measure`.

Model, database and broker need not answer: a task tries to reach them here too, so that what it imports and keeps for
them is measured with it.
"""

import json
import os
from contextlib import suppress
from pathlib import Path

import celery.apps.worker
import celery.concurrency.prefork  # noqa: F401 - what a worker's processes have of Celery, by being forked from it
import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SECRET_KEY", "nothing is signed here")
django.setup()

from config.celery import app  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import Error as DatabaseError  # noqa: E402
from kombu.exceptions import OperationalError  # noqa: E402

from forms import fields, pdf, tasks  # noqa: E402
from forms.models import Document  # noqa: E402


def rehearse(path: str) -> int:
    """How many characters go to the model of the form in ``path``."""
    with suppress(OperationalError), app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, interval_start=0)
    with suppress(DatabaseError):
        Document.objects.filter(name=path).first()
    content = pdf.read(Path(__file__).parent.parent / path, settings.ALLOWED_PAGES)
    tasks.client().loaded()
    asked = json.dumps(fields.messages(content))
    said = {name: choices["enum"][-1] for name, choices in fields.schema(content)["properties"].items()}
    with suppress(fields.Invalid):
        fields.validate(json.dumps(said), content)
    return len(asked)
