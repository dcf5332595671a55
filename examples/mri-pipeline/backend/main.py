"""The web part: takes a volume, queues it, tells how far it is, hands out the result. It never loads the model."""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from celery.exceptions import OperationalError
from fastapi import FastAPI, HTTPException, UploadFile
from fastapi.responses import FileResponse
from redis import RedisError

from backend.queueing import DATA, Jobs, celery
from backend.volumes import Corrupt, WrongType, read_volume

MAX_WAITING = int(os.environ.get("MAX_WAITING", "100"))
MIN_FREE_MB = int(os.environ.get("MIN_FREE_MB", "500"))
NUMBERS = ("volume_ml", "thickness_mean_mm", "thickness_max_mm")
AGAIN = {"Retry-After": "10"}

jobs = Jobs()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    DATA.mkdir(parents=True, exist_ok=True)
    # uploads wait here, not in /tmp: that is memory in a container
    tempfile.tempdir = str(DATA)
    yield


app = FastAPI(title="mri-pipeline", lifespan=lifespan)


@app.get("/health")
def health() -> dict[str, bool]:
    try:
        jobs.redis.ping()
    except RedisError as error:
        raise HTTPException(503, f"the queue does not answer: {type(error).__name__}") from error
    return {"ready": True}


@app.post("/analyze", status_code=202)
def analyze(scan: UploadFile) -> dict[str, str]:
    """Take a volume: 415 wrong type, 422 corrupt, 503 queue full or away, 507 disk nearly full."""
    free_mb = shutil.disk_usage(DATA).free // 1024**2
    if free_mb < MIN_FREE_MB:
        raise HTTPException(507, f"the disk is nearly full: {free_mb} MB are free, {MIN_FREE_MB} are kept")
    try:
        waiting = jobs.waiting()
    except RedisError as error:
        raise HTTPException(503, "the queue does not answer; try again soon", AGAIN) from error
    if waiting >= MAX_WAITING:
        raise HTTPException(503, f"the queue is full: {waiting} jobs wait; try again later", AGAIN)
    job = uuid.uuid4().hex
    folder = DATA / job
    folder.mkdir()
    try:
        _keep(scan, folder / "scan")
        jobs.add(job, Path(scan.filename or "scan").name[:200])
        celery.send_task("segment", args=[job], task_id=job, retry=False)
    except WrongType as error:
        _drop(job, folder)
        raise HTTPException(415, f"{scan.filename}: {error}") from error
    except Corrupt as error:
        _drop(job, folder)
        raise HTTPException(422, f"{scan.filename}: {error}") from error
    except (RedisError, OperationalError) as error:
        _drop(job, folder)
        raise HTTPException(503, "the queue does not answer; try again soon", AGAIN) from error
    return {"id": job, "state": "queued"}


@app.get("/jobs/{job}")
def state(job: str) -> dict[str, object]:
    """How far a job is; 404 for one that nobody has queued."""
    known = _known(job)
    found: dict[str, object] = {"id": job, "state": known["state"], "file": known.get("file", "")}
    found |= {name: float(known[name]) for name in NUMBERS if name in known}
    found |= {"reason": known["reason"]} if "reason" in known else {}
    return found


@app.get("/jobs/{job}/mask.npy")
def mask(job: str) -> FileResponse:
    """The mask; 409 while there is none."""
    known = _known(job)
    path = DATA / job / "mask.npy"
    if known["state"] != "done" or not path.is_file():
        raise HTTPException(409, f"job {job} is {known['state']}: there is no mask (yet)")
    return FileResponse(path, media_type="application/octet-stream", filename=f"{job}-mask.npy")


def _known(job: str) -> dict[str, str]:
    try:
        known = jobs.get(job)
        if known and known["state"] == "running" and celery.AsyncResult(job).state == "FAILURE":
            # killed for its time, say: the worker's parent has noted it, the task could not
            jobs.end(job, "failed", reason=f"the worker gave it up: {celery.AsyncResult(job).result!r}"[:300])
            known = jobs.get(job)
    except RedisError as error:
        raise HTTPException(503, "the queue does not answer; try again soon", AGAIN) from error
    if not known:
        raise HTTPException(404, f"there is no job {job}")
    return known


def _keep(scan: UploadFile, path: Path) -> None:
    """The upload as a file, once it is a volume."""
    with path.open("wb") as stream:
        shutil.copyfileobj(scan.file, stream, 1024**2)
    read_volume(path)


def _drop(job: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(RedisError):  # it expires by itself
        jobs.remove(job)
