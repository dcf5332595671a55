"""A stand-in for celery in tests without one: a parent, prefork children, a folder as the queue, and faults by MODE.

Copied to <project>/celery/__main__.py. A task is a file ``<id>.todo``; the child that takes it renames it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

MODE = os.environ.get("MODE", "ok")
QUEUE = Path("queue")
TASK_S = 0.4
BEFORE_REPLACED = 6
"""Tasks of a child in mode "replaced", after which it ends, as --max-tasks-per-child makes it."""


def compute() -> None:
    """The task's work."""
    until = time.perf_counter() + TASK_S
    while time.perf_counter() < until:
        pass


def work() -> None:
    """One child, until it is killed or replaced."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    done = 0
    while MODE != "replaced" or done < BEFORE_REPLACED:
        for todo in sorted(QUEUE.glob("*.todo")):
            mine = todo.with_suffix(f".{os.getpid()}")
            try:
                todo.rename(mine)
            except FileNotFoundError:
                continue  # another child was quicker
            compute()
            mine.rename(todo.with_suffix(".done"))
            done += 1
        time.sleep(0.01)
    os._exit(0)


def main(argv: list[str]) -> int:
    """`--concurrency N`; everything else is accepted and ignored."""
    QUEUE.mkdir(exist_ok=True)
    pids: list[int] = []

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            work()
        pids.append(pid)

    def end(*_: object) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        os._exit(0)

    for _ in range(int(argv[argv.index("--concurrency") + 1])):
        fork()
    signal.signal(signal.SIGTERM, end)
    while True:
        pid, _ = os.wait()
        pids.remove(pid)
        if MODE == "replaced":
            sys.stdout.write(
                "[ERROR/MainProcess] Timed out waiting for UP message from <ForkProcess(ForkPoolWorker-3)>\n"
            )
            sys.stdout.flush()
            signal.pause()  # whoever comes next is killed before it has loaded: nobody works any more
        for taken in QUEUE.glob(f"*.{pid}"):
            if MODE == "lost":
                taken.unlink()  # acknowledged before it was done
            else:
                taken.rename(taken.with_suffix(".todo"))
        fork()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
