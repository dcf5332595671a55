"""Run as a script: verifies a lock in a process of its own, as the command line does, so that it can be interrupted."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from mlpack.cli import interrupt
from mlpack.lock import Lock
from mlpack.verify import verify


def say(line: str) -> None:
    """Progress, at once: the test waits for it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(root: str, lock: str, launcher: str, python: str) -> int:
    """Exit code 130 when interrupted, else 0 or 1 as the report says."""
    signal.signal(signal.SIGTERM, interrupt)
    value = Lock.model_validate_json(Path(lock).read_text(encoding="utf-8"))
    try:
        report = verify(
            Path(root),
            value,
            launcher=launcher,
            python=Path(python),
            progress=say,
        )
    except KeyboardInterrupt:
        return 130
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
