"""The worker: reads a form, asks the model for its fields, checks them, and stores how it ended, once.

A task is acknowledged when it is over (task.acks_late) and given back when its process dies
(task.reject_on_worker_lost): mlpack renders both into the worker's command. So a task may run again; that changes no
result, and after the third attempt it is given up.
"""

import time
from functools import cache

from celery import shared_task
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.conf import settings
from django.db import Error as DatabaseError

from forms import fields, llm, pdf
from forms.models import Document

MOST_ATTEMPTS = 3
TO_FINISH_S = 10
"""Of a task's time, what is left to store its end."""


@cache
def client() -> llm.Client:
    """This process's client."""
    return llm.Client(settings.LLM_URL, settings.LLM_SLOTS, settings.LLM_TIMEOUT_S)


@shared_task(name="extract")
def extract(document: str) -> str:
    """Extract the fields of ``document``; how it ended."""
    try:
        found = Document.objects.filter(pk=document).first()
        return "unknown" if found is None else _extract(found)
    except DatabaseError as error:
        # its end could not be recorded: a task that fails is acknowledged, so it is given back instead
        time.sleep(1)
        raise Reject(f"the database did not answer: {type(error).__name__}", requeue=True) from error


def _extract(document: Document) -> str:
    attempt = document.begin()
    if attempt == 0:
        return "ended already"
    if attempt > MOST_ATTEMPTS:
        document.end("failed", reason=f"given up: the worker died {MOST_ATTEMPTS} times while it ran")
        return "failed"
    try:
        content = pdf.read(settings.UPLOADS / f"{document.pk}.pdf", settings.ALLOWED_PAGES)
        found = understand(content, document)
    except (pdf.WrongType, pdf.Corrupt, fields.Invalid, llm.Away, llm.Refused) as error:
        return _failed(document, str(error))
    except FileNotFoundError:
        return _failed(document, "its file is gone: has the volume been emptied?")
    except SoftTimeLimitExceeded:
        return _failed(document, "it took longer than the time limit")
    except DatabaseError:
        raise
    except Exception as error:  # a document that nobody ends would be waited for for ever
        return _failed(document, f"an error of the program: {type(error).__name__}: {error}")
    document.end("done", fields=found)
    return "done"


def understand(content: pdf.Content, document: Document) -> dict[str, object]:
    """The fields of the form, by the model. Raises Away, Refused and Invalid."""
    within_s = settings.TASK_TIMEOUT_S - TO_FINISH_S
    answer = client().ask(fields.messages(content), fields.schema(content), within_s=within_s, waits=document.wait)
    return fields.validate(answer, content)


def _failed(document: Document, reason: str) -> str:
    document.end("failed", reason=reason)
    return "failed"
