# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
"""Asks a service in this container whether it is ready: exit status 0 is yes, else the reason is printed.

usage: healthcheck.py PORT PATH TIMEOUT_S. Standard library only, and never the app: a check must be fast and cheap.
"""

import sys
from http.client import HTTPConnection, HTTPException


def main(port, path, timeout_s):
    connection = HTTPConnection("127.0.0.1", int(port), timeout=float(timeout_s))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.read(300).decode(errors="replace")
    except (OSError, HTTPException) as error:
        print(f"no answer from port {port} within {timeout_s} s: {error!r}")
        return 1
    finally:
        connection.close()
    if 200 <= answer.status < 300:
        return 0
    print(f"{path} answered {answer.status}: {said}")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
