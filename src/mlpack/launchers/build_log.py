"""Reads a failed build's output: which step failed, what it said last, what probably mends it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlpack.errors import MlpackError, TransientError

_STEP = re.compile(r"^#(\d+) (.*)$")
_TIMED = re.compile(r"^\d+\.\d+ ?")
TAIL_LINES = 12
HINTS: tuple[tuple[str, str], ...] = (
    ("exec format error", "the image is for another processor: check build.platform, or build where it will run"),
    ("no match for platform", "the base image does not exist for this platform: check build.platform"),
    ("does not match the specified platform", "the base image is for another platform: check build.platform"),
    ("no space left on device", "make room where the engine keeps its images (`docker system df`)"),
    ("certificate verify failed", "a company's certificate authority? Name its PEM file in build.ca"),
    (
        "No matching distribution found",
        "check the requirement's name and version; closed network: build.index, build.wheelhouse",
    ),
    ("ResolutionImpossible", "two requirements exclude each other: pip names them above"),
    ("failed to compute cache key", "a file that the image needs is missing or left out by .dockerignore"),
    ("frontend grpc server closed", "the engine's builder stopped: try again"),
    ("cannot open shared object file", "a system library is missing: name its package in build.apt"),
)
TRANSIENT = (
    "failed to resolve source metadata",
    "pull access denied",
    "TLS handshake timeout",
    "i/o timeout",
    "Temporary failure in name resolution",
    "Temporary failure resolving",
    "connection reset by peer",
    "toomanyrequests",
    "no space left on device",
)
"""A build that failed for one of these may work later, unchanged."""


@dataclass(frozen=True)
class BuildFailure:
    """The failing step's title and its last lines."""

    step: str
    lines: tuple[str, ...]

    @property
    def hint(self) -> str | None:
        """What probably mends it; None where nothing is recognised."""
        text = "\n".join(self.lines)
        return next((hint for mark, hint in HINTS if mark in text), None)

    @property
    def transient(self) -> bool:
        """Whether the same build may work later."""
        text = "\n".join(self.lines)
        return any(mark in text for mark in TRANSIENT)


class BuildFailed(MlpackError):
    """The image cannot be built as it is."""

    def __init__(self, failure: BuildFailure) -> None:
        super().__init__("the build fails at: " + failure.step, hint=failure.hint)
        self.failure = failure


def explain(output: str) -> BuildFailure:
    """The failure in BuildKit's plain output (`#7 1.2 text` lines, `#7 ERROR: ...`), or the last lines of any other."""
    titles: dict[str, str] = {}
    said: dict[str, list[str]] = {}
    failed: str | None = None
    plain: list[str] = []
    for line in output.splitlines():
        match = _STEP.match(line)
        if match is None:
            if line.strip():
                plain.append(line.strip())
            continue
        number, text = match.groups()
        if text.startswith("["):
            titles.setdefault(number, text)
        elif text.startswith("ERROR"):
            failed = number
            said.setdefault(number, []).append(text)
        elif _TIMED.match(text):
            said.setdefault(number, []).append(_TIMED.sub("", text).rstrip())
    end = plain[-1:] if plain else []
    if failed is None:
        return BuildFailure("before its first step", tuple(plain[-TAIL_LINES:]))
    return BuildFailure(titles.get(failed, f"step {failed}"), tuple((said[failed] + end)[-TAIL_LINES:]))


def worth_showing(line: str) -> str | None:
    """What a reader who waits wants to see of a line of the build: steps, what programs say, errors; else None."""
    match = _STEP.match(line)
    if match is None:
        return line.strip() or None
    text = match.group(2)
    if text.startswith("[") and not text.endswith(("load metadata", "load build context")) and "internal]" not in text:
        return text
    if text.startswith("ERROR"):
        return text
    said = _TIMED.sub("", text).strip() if _TIMED.match(text) else ""
    return f"  {said}" if said else None


def error_of(output: str, platforms: Sequence[str] = ()) -> MlpackError:
    """The exception for a build that ended with ``output``; ``platforms``: those that were asked for by name."""
    failure = explain(output)
    if failure.transient:
        hint = failure.hint or "try again when the network (or the registry) answers"
        if platforms and failure.hint is None:
            hint += f"; it was asked for {', '.join(platforms)}: is that the processor you mean (build.platform)?"
        return TransientError(
            f"the build stopped at {failure.step}:\n  " + "\n  ".join(failure.lines),
            hint=hint,
        )
    return BuildFailed(failure)
