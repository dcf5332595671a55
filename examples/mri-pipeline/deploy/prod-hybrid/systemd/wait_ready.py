# rendered by mlpack; changes belong in mlpack.yaml, or in a drop-in: systemctl edit NAME
"""Ends with 0 as soon as a service has loaded its models, else with 1 and the reason.

usage: wait_ready.py http PATIENCE_S PORT PATH        until PATH answers 200
       wait_ready.py files PATIENCE_S FOLDER COUNT    until COUNT living processes have a file there, named by their pid

Standard library only, and never the app: it would be loaded a second time.
"""

import os
import sys
import time
from http.client import HTTPConnection, HTTPException

PAUSE_S = 0.3
ANSWER_S = 10.0


def asked(port, path):
    """What is still missing, or None."""
    connection = HTTPConnection("127.0.0.1", int(port), timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read(300).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return f"no answer from port {port}: {error!r}"
    finally:
        connection.close()
    return None if 200 <= answer.status < 300 else f"{path} answered {answer.status}: {said}"


def counted(folder, count):
    """What is still missing, or None."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        return f"{folder} cannot be read: {error.strerror}"
    living = [name for name in names if os.path.isdir(f"/proc/{name}")]
    return None if len(living) >= int(count) else f"{len(living)} of {count} processes have loaded their models"


def main(kind, patience_s, *words):
    missing = {"http": asked, "files": counted}[kind]
    until = time.monotonic() + float(patience_s)
    while True:
        reason = missing(*words)
        if reason is None:
            return 0
        if time.monotonic() > until:
            print(f"not ready within {patience_s} s: {reason}", flush=True)
            return 1
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
