"""The worker: takes a job, segments its volume, computes volume and thickness, and records the result once.

A task is acknowledged when it is over (task.acks_late), and given back when its process dies
(task.reject_on_worker_lost): mlpack renders both into the worker's command. So a task may run again, after a crash or
when the broker was away; that changes no result, and after the third attempt it is given up.
"""

import os
import shutil
from functools import cache
from pathlib import Path

import numpy
from celery.exceptions import Reject, SoftTimeLimitExceeded
from celery.signals import worker_process_init
from redis import RedisError

from backend import network
from backend.quantify import quantify
from backend.queueing import DATA, MOST_ATTEMPTS, Jobs, celery
from backend.volumes import Corrupt, WrongType, read_volume

MODEL = Path(os.environ.get("MODEL", Path(__file__).parent.parent / "weights" / "knee.safetensors"))
READY = os.environ.get("READY_DIR")


@cache
def model() -> network.UNet:
    """The trained network, loaded once per process."""
    return network.load(MODEL)


@cache
def jobs() -> Jobs:
    """This process's own connection: a forked one would be shared."""
    return Jobs(patient=True)


@worker_process_init.connect
def load(**_: object) -> None:
    """In each child after the fork: the parent imports torch, which all share, and computes nothing with it."""
    model()
    if READY:
        Path(READY).mkdir(parents=True, exist_ok=True)
        (Path(READY) / str(os.getpid())).touch()


@celery.task(name="segment")
def segment(job: str) -> str:
    """Segment the volume of ``job``; how it ended."""
    try:
        return _segment(job)
    except RedisError as error:
        # its end could not be recorded: a task that fails is acknowledged, so it is given back instead
        raise Reject(f"the queue did not answer: {error}", requeue=True) from error


def _segment(job: str) -> str:
    attempt = jobs().begin(job)
    if attempt == 0:
        return "ended already"
    if attempt > MOST_ATTEMPTS:
        jobs().end(job, "failed", reason=f"given up: the worker died {MOST_ATTEMPTS} times while it ran")
        return "failed"
    folder = DATA / job
    try:
        values = process(next(folder.glob("scan*")), folder / "mask.npy")
    except (WrongType, Corrupt) as error:
        jobs().end(job, "failed", reason=str(error))
        return "failed"
    except StopIteration:
        jobs().end(job, "failed", reason="its file is gone: has the data folder been emptied?")
        return "failed"
    except SoftTimeLimitExceeded:
        jobs().end(job, "failed", reason="it took longer than the time limit")
        return "failed"
    except OSError as error:
        jobs().end(job, "failed", reason=f"the result could not be written: {error.strerror}")
        return "failed"
    jobs().end(job, "done", **values)
    return "done"


def process(scan: Path, result: Path) -> dict[str, float]:
    """Segment ``scan``, write the mask to ``result`` in one step, and return the numbers. Also what mlpack measures."""
    volume = read_volume(scan)
    mask = network.segment(model(), volume.voxels)
    written = result.with_suffix(f".{os.getpid()}.tmp")
    with written.open("wb") as stream:
        numpy.save(stream, mask)
    written.replace(result)
    return quantify(mask, volume.spacing_mm)


def rehearse(scan: str) -> dict[str, float]:
    """One job from start to end without the queue, for `mlpack estimate --measure`."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"rehearsal-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    try:
        return process(Path(__file__).parent.parent / scan, folder / "mask.npy")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
