"""The broker as the web part sees it: how much waits, and whether it answers."""

from config.celery import app
from django.conf import settings
from redis import Redis

QUEUE = "celery"
"""The list in Redis where Celery's default queue waits."""


def broker() -> Redis:
    """A connection that gives up soon: a web request must not wait for a broker that is away."""
    return Redis.from_url(settings.CELERY_BROKER_URL, socket_timeout=5, socket_connect_timeout=2)


def waiting() -> int:
    """Tasks that no worker has taken yet. Raises RedisError."""
    with broker() as connection:
        return int(connection.llen(QUEUE))


def send(document: str) -> None:
    """Queue the task for ``document``. Raises OperationalError of kombu."""
    app.send_task("extract", args=[document], task_id=document, retry=False)
