"""What is stored of a document. It ends once: whoever comes second changes nothing."""

import os
import uuid

from django.db import models
from django.db.models import F
from django.utils import timezone

OPEN = ("queued", "running")


class Document(models.Model):
    """An uploaded form: queued, running, done or failed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, default="queued", db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    pid = models.IntegerField(null=True)
    waits_for = models.CharField(max_length=200, default="")
    fields = models.JSONField(null=True)
    reason = models.CharField(max_length=500, default="")
    created = models.DateTimeField(default=timezone.now)
    ended = models.DateTimeField(null=True)

    def begin(self) -> int:
        """The number of this attempt, from 1; 0 for a document that has ended already."""
        mine = Document.objects.filter(pk=self.pk, state__in=OPEN)
        if not mine.update(state="running", attempts=F("attempts") + 1, pid=os.getpid()):
            return 0
        self.refresh_from_db()
        return self.attempts

    def wait(self, what: str) -> None:
        """Note what the document waits for, for whoever asks; empty: for nothing any more."""
        Document.objects.filter(pk=self.pk, state__in=OPEN).update(waits_for=what[:200])

    def end(self, state: str, *, fields: dict[str, object] | None = None, reason: str = "") -> bool:
        """Whether this was the first end of the document: only that one is recorded, in one statement."""
        values = {"state": state, "fields": fields, "reason": reason[:500], "waits_for": "", "ended": timezone.now()}
        return bool(Document.objects.filter(pk=self.pk, state__in=OPEN).update(**values))
