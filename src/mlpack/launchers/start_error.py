"""Why `compose up` failed, from what it said: what may work later is transient, the rest is not. Pure.

Only compose's own lines are judged: services and the programs in them may be called, or say, anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlpack.errors import MlpackError, TransientError, VerifyError

PORT = ("port is already allocated", "address already in use")
PLATFORM = ("does not match the specified platform", "no matching manifest", "exec format error")
NETWORK = ("dial tcp", "no such host", "timeout", "connection refused", "connection reset", "toomanyrequests")
SAID_LINES = 8
_PULLING, _PULLED = re.compile(r"(\S+) Pulling\b"), re.compile(r"(\S+) (?:Pulled|Skipped)\b")
_CREATED = re.compile(r"Container \S+ +(?:Creat|Recreat|Start|Running)")
"""Images are all there once a container is made."""
_REFUSED = ("pull access denied", "manifest unknown", "failed to resolve reference")
_APP = re.compile(r"\S+-\d+ +\| ")
"""How compose shows a line of a service's own log."""


def start_error(output: str, logs: Mapping[str, Sequence[str]]) -> MlpackError:
    """The exception for `compose up` that ended with ``output``; ``logs``: last lines of what exited, by name."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = lines[-SAID_LINES:]
    for name, words in logs.items():
        said += [f"{name} said last: {word}" for word in words]
    text = "\n  ".join(said)
    own = [line for line in lines if not _APP.match(line)]
    if port_taken(own):
        return TransientError(f"a port is taken:\n  {text}", hint="another program was quicker: run it again")
    if _says(own, PLATFORM):
        return VerifyError(f"an image is for another processor:\n  {text}", hint="check build.platform")
    if _pulls(own):
        hint = "check the network and the image's name; an image that is here for another processor is pulled as well"
        if _says(own, NETWORK):
            return TransientError(f"an image cannot be pulled:\n  {text}", hint=hint)
        return VerifyError(f"an image cannot be pulled:\n  {text}", hint=hint)
    return VerifyError(f"the containers cannot be started:\n  {text}", hint="the lines above say why")


def port_taken(lines: Sequence[str]) -> bool:
    """The engine says that another program of this machine has a published port."""
    return _says(lines, PORT)


def _pulls(lines: Sequence[str]) -> bool:
    """It ended while images were fetched: one is not there yet, and nothing was made of any."""
    if any(_CREATED.search(line) for line in lines):
        return False
    under_way = {found[1] for line in lines if (found := _PULLING.match(line))}
    there = {found[1] for line in lines if (found := _PULLED.match(line))}
    return bool(under_way - there) or _says(lines, _REFUSED)


def _says(lines: Sequence[str], marks: Sequence[str]) -> bool:
    return any(mark in line for line in lines for mark in marks)
