"""usage: BASE upload FILE...      an id a line
       BASE wait ID...          the last state of each, when it has ended
       BASE get PATH            status and what was said

A client of the example that needs the standard library only: it runs inside hosts under test.
"""

import json
import pathlib
import ssl
import sys
import time
import urllib.error
import urllib.request

PEER = ssl._create_unverified_context()
PATIENCE_S = 120


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


base, what, *words = sys.argv[1:]
for word in words:
    if what == "wait":
        said = wait(base, word)
    else:
        status, answer = upload(base, word) if what == "upload" else ask(base + word)
        said = {"status": status, "said": answer}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
