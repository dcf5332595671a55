"""The web part: takes a form, queues it, tells how far it is. It never reads a page and never asks the model."""

import shutil
import uuid
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from kombu.exceptions import OperationalError
from redis import RedisError

from forms import queue
from forms.models import Document
from forms.pdf import Corrupt, WrongType, check

AWAY = (RedisError, OperationalError)


def index(request: HttpRequest) -> HttpResponse:
    """A page to upload by hand."""
    return render(request, "forms/index.html")


def health(_: HttpRequest) -> JsonResponse:
    """Ready when database and broker answer; the model is the worker's business."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
        with queue.broker() as broker:
            broker.ping()
    except (DatabaseError, RedisError) as error:
        return _error(503, f"not ready: {type(error).__name__}")
    return JsonResponse({"ready": True})


def upload(request: HttpRequest) -> JsonResponse:
    """Take a form: 400 none, 413 too large, 415 no PDF, 422 damaged, 503 queue full or away, 507 disk nearly full."""
    if request.method != "POST":
        return _error(405, "send the form with POST, in the field `pdf`")
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_BODY_BYTES:
        for _ in range(8):  # who is still sending would not hear the answer; who sends far more need not
            request.read(settings.MAX_BODY_BYTES)
        return _error(413, f"larger than {settings.MAX_BODY_BYTES // 1024**2} MiB")
    settings.UPLOADS.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(settings.UPLOADS).free // 1024**2
    if free_mb < settings.MIN_FREE_MB:
        return _error(507, f"the disk is nearly full: {free_mb} MB are free, {settings.MIN_FREE_MB} are kept")
    file = request.FILES.get("pdf")
    if file is None:
        return _error(400, "there is no file in the field `pdf`")
    try:
        waiting = queue.waiting()
    except AWAY:
        return _error(503, "the queue does not answer; try again soon")
    if waiting >= settings.MAX_WAITING:
        return _error(503, f"the queue is full: {waiting} documents wait; try again later")
    return _take(file)


def state(_: HttpRequest, document: str) -> JsonResponse:
    """How far a document is; 404 for one that nobody has uploaded."""
    try:
        found = Document.objects.filter(pk=uuid.UUID(document)).first()
    except ValueError:
        found = None
    except DatabaseError:
        return _error(503, "the database does not answer; try again soon")
    if found is None:
        return _error(404, f"there is no document {document[:60]}")
    said: dict[str, object] = {"id": str(found.pk), "name": found.name, "state": found.state}
    more = {"waits_for": found.waits_for, "reason": found.reason, "fields": found.fields}
    return JsonResponse(said | {key: value for key, value in more.items() if value})


def _take(file: UploadedFile) -> JsonResponse:
    name, document = Path(file.name or "form.pdf").name[:200], uuid.uuid4()
    path = settings.UPLOADS / f"{document}.pdf"
    row = None
    try:
        with path.open("wb") as stream:
            for chunk in file.chunks():
                stream.write(chunk)
        check(path)
        row = Document.objects.create(pk=document, name=name)
        queue.send(str(document))
    except WrongType as error:
        return _dropped(path, None, 415, f"{name}: {error}")
    except Corrupt as error:
        return _dropped(path, None, 422, f"{name}: {error}")
    except DatabaseError:
        return _dropped(path, None, 503, "the database does not answer; try again soon")
    except AWAY:
        return _dropped(path, row, 503, "the queue does not answer; try again soon")
    return JsonResponse({"id": str(document), "state": "queued"}, status=202)


def _dropped(path: Path, row: Document | None, status: int, reason: str) -> JsonResponse:
    path.unlink(missing_ok=True)
    if row is not None:
        row.delete()
    return _error(status, reason)


def _error(status: int, reason: str) -> JsonResponse:
    answer = JsonResponse({"error": reason}, status=status)
    if status == 503:
        answer["Retry-After"] = "10"
    return answer
