"""Run as a script: joins control groups, asks to end with its parent, and becomes the service.

`python -I -S enter.py GROUP_FILE... -- PROGRAM ARG...`: so every page is charged to the group from the first one.
Standard library only, nothing newer than Python 3.8: the project's own Python may run it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""prctl(2): a signal for this process when the thread that started it ends: `kill -9` of mlpack leaves nothing."""


def main(words: list[str]) -> None:
    """Join, then exec. Never returns."""
    split = words.index("--")
    for file in words[:split]:
        Path(file).write_text("0", encoding="ascii")  # 0: the writer itself
    with contextlib.suppress(OSError, AttributeError):  # not Linux: the next run's sweep finds what was left
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    argv = words[split + 1 :]
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(sys.argv[1:])
