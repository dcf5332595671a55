# mypy: ignore-errors
"""usage: SEED TASKS KILLS, on a host with the units of the example: tasks queued, processes that run them killed, the
broker restarted once at half time. Says in JSON how every task ended, and which result none should have had.

Kills are spread by how many tasks have ended, not by time; each hits a process that says it runs a task.
"""

import collections
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

from backend.queueing import DATA, Jobs, celery
from backend.tasks import process

PATIENCE_S = 400
"""Without a task that ends: nothing is coming any more. Above the redelivery time."""
SCANS = ("knee.npy", "knee.nii.gz")

seed, count, kills = (int(word) for word in sys.argv[1:])
draw = random.Random(seed)
jobs = Jobs()


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def reference(scan):
    """What a job with this scan must give."""
    numbers = process(Path("samples") / scan, Path("/tmp/reference.npy"))
    return {**{key: str(value) for key, value in numbers.items()}, "mask": digest(Path("/tmp/reference.npy"))}


def state(job):
    """Its record; nothing while the broker starts."""
    try:
        return jobs.get(job)
    except Exception:
        return {}


def states(wanted):
    """Their records, asked at once; none while the broker starts."""
    asked = jobs.redis.pipeline(transaction=False)
    for job in wanted:
        asked.hgetall(f"job:{job}")
    try:
        return dict(zip(wanted, asked.execute(), strict=True))
    except Exception:
        return {}


def alive(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


right = {scan: reference(scan) for scan in SCANS}
scans = {}
for _ in range(count):
    job, scan = uuid.uuid4().hex, draw.choice(SCANS)
    folder = DATA / job
    folder.mkdir()
    shutil.copy(Path("samples") / scan, folder / "scan")
    for path in (folder, folder / "scan"):
        shutil.chown(path, "mri-pipeline", "mri-pipeline")
    jobs.add(job, scan)
    celery.send_task("segment", args=[job], task_id=job)
    scans[job] = scan

killed, restarted, ended, moved_s = [], False, {}, time.monotonic()
while len(ended) < count and time.monotonic() - moved_s < PATIENCE_S:
    running = []
    for job, known in states([job for job in scans if job not in ended]).items():
        if known.get("state") in ("done", "failed"):
            ended[job], moved_s = known, time.monotonic()
        elif known.get("state") == "running" and known.get("pid"):
            running.append((job, int(known["pid"])))
    if running and len(killed) < kills and len(ended) >= (len(killed) + 1) * count * 0.8 / kills - 2:
        job, pid = draw.choice(running)
        if alive(pid) and state(job).get("state") == "running":
            os.kill(pid, 9)
            killed.append(job)
    if not restarted and len(ended) >= count / 2:
        subprocess.run(["systemctl", "restart", "mri-pipeline-queue.service"], check=True)
        restarted = True
    time.sleep(0.1)

time.sleep(3)  # a second run of a task would end now, and must not change anything
wrong = []
for job, known in ended.items():
    if known["state"] == "done":
        numbers = {key: known[key] for key in right[scans[job]] if key != "mask"} | {
            "mask": digest(DATA / job / "mask.npy")
        }
        if numbers != right[scans[job]]:
            wrong.append(job)
    elif not known.get("reason"):
        wrong.append(job)
    if state(job) != known:
        wrong.append(job)
ends = collections.Counter(known["state"] for known in ended.values())
again = sum(int(known.get("attempts", 1)) > 1 for known in ended.values())
said = {"seed": seed, "lost": count - len(ended), "states": ends, "kills": len(killed), "again": again}
sys.stdout.write(json.dumps(said | {"restarted": restarted, "wrong": wrong}) + "\n")
