"""Why `compose up` failed, from what it said: what may work later is transient, the rest is not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.errors import MlpackError, TransientError, VerifyError

PORT = ("port is already allocated", "address already in use")
PLATFORM = ("does not match the specified platform", "no matching manifest", "exec format error")
PULL = ("Pulling", "pull access denied", "registry", "manifest unknown")
NETWORK = ("dial tcp", "no such host", "timeout", "connection refused", "connection reset", "toomanyrequests")
SAID_LINES = 8


def start_error(output: str, logs: Mapping[str, Sequence[str]]) -> MlpackError:
    """The exception for `compose up` that ended with ``output``; ``logs``: last lines of what exited, by name."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = lines[-SAID_LINES:]
    for name, words in logs.items():
        said += [f"{name} said last: {word}" for word in words]
    text = "\n  ".join(said)
    if any(mark in output for mark in PORT):
        return TransientError(f"a port is taken:\n  {text}", hint="another program was quicker: run it again")
    if any(mark in output for mark in PLATFORM):
        return VerifyError(f"an image is for another processor:\n  {text}", hint="check build.platform")
    if any(mark in output for mark in PULL):
        hint = "check the network and the image's name; an image that is here for another processor is pulled as well"
        if any(mark in output for mark in NETWORK):
            return TransientError(f"an image cannot be pulled:\n  {text}", hint=hint)
        return VerifyError(f"an image cannot be pulled:\n  {text}", hint=hint)
    return VerifyError(f"the containers cannot be started:\n  {text}", hint="the lines above say why")
