# mypy: ignore-errors
"""usage: BASE upload FILE...      an id a line
       BASE wait ID...          the last state of each, when it has ended
       BASE get PATH            status and what was said

A client of the example that needs the standard library only: it runs inside hosts under test.
"""

import json
import pathlib
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request

PEER = ssl._create_unverified_context()
PATIENCE_S, CONNECT_S = 120, 40
look_up = socket.getaddrinfo
# names below .localhost are this machine (RFC 6761), which not every resolver knows
socket.getaddrinfo = lambda host, *rest, **more: look_up(
    "127.0.0.1" if host.endswith(".localhost") else host, *rest, **more
)


def ask(url, body=None, headers=None):
    """Status and JSON (or text)."""
    request = urllib.request.Request(url, data=body, headers=headers or {})
    try:
        with urllib.request.urlopen(request, context=PEER, timeout=40) as answer:
            status, said = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, said = error.code, error.read()
    try:
        return status, json.loads(said)
    except ValueError:
        return status, f"{len(said)} bytes"


def upload(base, path):
    """One file as a form; status and answer."""
    content = pathlib.Path(path).read_bytes()
    head = f'--x\r\nContent-Disposition: form-data; name="scan"; filename="{path.rpartition("/")[2]}"\r\n\r\n'
    body = head.encode() + content + b"\r\n--x--\r\n"
    return ask(f"{base}/analyze", body, {"Content-Type": "multipart/form-data; boundary=x"})


def wait(base, job):
    """The state of ``job`` once it has ended; answers that are none (a restart) are asked again."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            status, said = ask(f"{base}/jobs/{job}")
        except OSError as error:
            status, said = 0, str(error)
        if (status == 200 and said["state"] in ("done", "failed")) or time.monotonic() > until:
            return {"status": status, "said": said}
        time.sleep(0.3)


def patiently(ask_it, *words):
    """An answer, whatever it is: who has just started may not listen yet."""
    until = time.monotonic() + CONNECT_S
    while True:
        try:
            return ask_it(*words)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)


base, what, *words = sys.argv[1:]
for word in words:
    if what == "wait":
        said = wait(base, word)
    else:
        status, answer = patiently(upload, base, word) if what == "upload" else patiently(ask, base + word)
        said = {"status": status, "said": answer}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
