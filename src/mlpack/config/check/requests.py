"""Can each request be sent, and is at most one of them the largest?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlpack.config.check.said import Said
from mlpack.config.normalise import choices_hint
from mlpack.spec import Request, Spec, Step

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110's token
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def check(spec: Spec) -> Iterator[Said]:
    """Steps that name no service, no path, or ask for what no earlier step can have answered."""
    largest = [name for name, request in spec.requests.items() if request.largest]
    for name in largest[1:]:
        what = f"`{largest[0]}` is already the largest request"
        yield Said(f"requests.{name}.largest", what, "keep `largest: true` on one")
    for name, request in spec.requests.items():
        yield from _request(spec, f"requests.{name}", request)


def _request(spec: Spec, at: str, request: Request) -> Iterator[Said]:
    if not request.steps:
        yield Said(at, "has no step", "write it like {to: web, get: /health}")
    for index, step in enumerate(request.steps):
        yield from _step(spec, f"{at}.steps.{index}", step)
        used = _PLACEHOLDER.search(step.path or "")
        if index == 0 and used is not None:
            yield Said(
                f"{at}.steps.0.path",
                f"nothing has answered {used.group()} yet",
                "the first step comes before any answer",
            )


def _step(spec: Spec, at: str, step: Step) -> Iterator[Said]:
    if (step.path is None) == (not step.run):
        yield Said(at, "is neither an exchange nor a command, or both", "write one of get, post, put, delete and run")
    if step.path is not None:
        if not step.path.startswith("/"):
            yield Said(f"{at}.path", f"{step.path!r} is not a path", "write it like /predict")
        if step.to is None:
            yield Said(at, "does not say which service answers", f"add `to:`; {choices_hint('', spec.services)}")
        elif step.to not in spec.services:
            yield Said(f"{at}.to", f"there is no service `{step.to}`", choices_hint(step.to, spec.services))
    if step.json_ is not None and step.file:
        yield Said(f"{at}.file", "has both json and file", "a request has one body")
    if step.within_s is not None and step.until is None:
        yield Said(f"{at}.within_s", "`within` is the deadline of `until`, which is missing", "add until: {...}")
    for key in step.headers:
        if not _HEADER.fullmatch(key):
            yield Said(f"{at}.headers.{key}", f"{key!r} cannot name a header", "write it like X-API-Key")
    for key, expect in (("expect", step.expect), ("until", step.until)):
        if expect is not None and expect.like is None and (expect.iou is not None or expect.within is not None):
            yield Said(
                f"{at}.{key}", "a tolerance without `like` compares nothing", "add `like:` with a reference file"
            )
