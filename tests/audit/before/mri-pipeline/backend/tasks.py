"""The worker's tasks."""

from celery import Celery

celery = Celery("mri")


@celery.task(acks_late=True)
def segment(path: str) -> str:
    """Segments one scan."""
    return path
