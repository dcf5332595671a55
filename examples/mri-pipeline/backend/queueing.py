"""What web and worker share: the queue, where data lies, and the jobs' states in Redis. Imports no model library."""

import os
from pathlib import Path

from celery import Celery
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

BROKER = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
DATA = Path(os.environ.get("DATA_DIR", Path(__file__).parent.parent / "data"))
REDELIVERY_S = int(os.environ.get("REDELIVERY_S", "3600"))
KEPT_S = 7 * 24 * 3600
"""Results are kept for a week."""
MOST_ATTEMPTS = 3
QUEUE = "celery"
"""The list in Redis where Celery's default queue waits."""

celery = Celery("mri", broker=BROKER, backend=BROKER)
celery.conf.update(
    # after this time the broker hands a task out again that nobody has acknowledged: longer than any task may take
    broker_transport_options={"visibility_timeout": REDELIVERY_S, "socket_timeout": 10, "socket_connect_timeout": 5},
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    result_expires=KEPT_S,
    worker_hijack_root_logger=False,
)


END = """
if redis.call('hsetnx', KEYS[1], 'ended', ARGV[1]) == 0 then return 0 end
redis.call('hset', KEYS[1], unpack(ARGV, 2))
return 1
"""
"""In one step, so that asking again after a lost connection is safe."""


class Jobs:
    """States of jobs: queued, running, done, failed. A job ends once: whoever comes second changes nothing."""

    def __init__(self, *, patient: bool = False) -> None:
        """``patient``: ask again for some 20 s while the queue is away (a worker); else at once an error."""
        again = Retry(ExponentialBackoff(cap=2, base=0.1), 14 if patient else 0)
        self.redis = Redis.from_url(
            BROKER, socket_timeout=5, socket_connect_timeout=2, decode_responses=True, retry=again
        )
        self._end = self.redis.register_script(END)

    def add(self, job: str, name: str) -> None:
        """A new job."""
        self.redis.hset(_key(job), mapping={"state": "queued", "file": name})
        self.redis.expire(_key(job), KEPT_S)

    def remove(self, job: str) -> None:
        """Forget a job that could not be queued."""
        self.redis.delete(_key(job))

    def get(self, job: str) -> dict[str, str]:
        """All that is known of it; empty for one that nobody has ever queued."""
        return self.redis.hgetall(_key(job))

    def begin(self, job: str) -> int:
        """The number of this attempt, from 1; 0 for a job that has ended already."""
        if self.redis.hget(_key(job), "state") in ("done", "failed"):
            return 0
        attempt = int(self.redis.hincrby(_key(job), "attempts", 1))
        self.redis.hset(_key(job), mapping={"state": "running", "pid": os.getpid()})
        return attempt

    def end(self, job: str, state: str, **values: object) -> bool:
        """Whether this was the first end of the job: only that one is recorded."""
        fields = [text for key, value in {**values, "state": state}.items() for text in (key, str(value))]
        return bool(self._end(keys=[_key(job)], args=[state, *fields]))

    def waiting(self) -> int:
        """Tasks that no worker has taken yet."""
        return int(self.redis.llen(QUEUE))


def _key(job: str) -> str:
    return f"job:{job}"
