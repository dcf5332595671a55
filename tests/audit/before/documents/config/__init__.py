"""The queue and its tasks."""

from celery import Celery

app = Celery("config")
app.conf.task_acks_late = True


@app.task(time_limit=2400, soft_time_limit=2400)
def extract(path: str) -> str:
    """Reads one form."""
    return path
