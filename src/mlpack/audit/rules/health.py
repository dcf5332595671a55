"""Health checks: is there one, does it cost an import, can it run at all, and does it wait for the models."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlpack.audit.deployment import Deployment, Service
from mlpack.audit.finding import Hit, Rule

_IMPORTS = re.compile(
    r"celery\b.*\binspect\b|manage\.py|-c\s+.*\b(import|from)\s+(torch|tensorflow|transformers|app|main|src|backend)\b"
)


def _port(one: Service) -> str:
    for name in ("bind", "port"):
        said = one.program.options.get(name)
        if said is not None and said.text.rpartition(":")[2].isdigit():
            return said.text.rpartition(":")[2]
    return one.ports[0].text.rpartition(":")[2] if one.ports else "8000"


def missing(deployment: Deployment) -> Iterator[Hit]:
    """A model server without a check."""
    for one in deployment.services:
        web = one.program.kind in ("gunicorn", "uvicorn") and bool(one.runtimes)
        if one.health is None and not one.is_unit and (web or one.program.kind in ("ollama", "llama-server")):
            test = ["CMD", "ollama", "list"]
            if web:
                code = f"import socket; socket.create_connection(('127.0.0.1', {_port(one)}), 4)"
                test = ["CMD", "python", "-I", "-S", "-c", code]
            change = {
                "healthcheck": {"test": test, "interval": "30s", "timeout": "5s", "retries": 3, "start_period": "120s"}
            }
            mends = web or one.program.kind == "ollama"
            yield Hit(
                one.health_at or one.place,
                one.name,
                "no healthcheck",
                "a check that answers 200 only when the models are loaded",
                "who depends on it starts, and is sent requests, before the models are there",
                severity="warning" if web else "note",
                change=change if mends else {},
            )


def imports_app(deployment: Deployment) -> Iterator[Hit]:
    """A check that imports the app."""
    for one in deployment.services:
        text = " ".join(one.health or ())
        if one.health_at and _IMPORTS.search(text):
            yield Hit(
                one.health_at,
                one.name,
                text.removeprefix("CMD-SHELL ").removeprefix("CMD ")[:80],
                "a file's age, or a port asked with the standard library alone",
                "every check is a process that imports the app inside the limit: 245 MiB and 3.2 s were measured for "
                "`celery inspect ping` with torch, 19 MiB for urllib",
            )


def no_curl(deployment: Deployment) -> Iterator[Hit]:
    """A check with a program that the image lacks."""
    for one in deployment.services:
        text = " ".join(one.health or ())
        tool = next((name for name in ("curl", "wget") if re.search(rf"\b{name}\b", text)), None)
        if tool is None or one.health_at is None:
            continue
        base = one.dockerfile.base.text if one.dockerfile and one.dockerfile.base else ""
        slim = (
            "slim" in base
            and one.dockerfile is not None
            and not any(
                re.search(rf"\b{tool}\b", line.text) for line in one.dockerfile.final if line.word != "HEALTHCHECK"
            )
        )
        if slim or (one.program.kind == "ollama" and one.dockerfile is None):
            after = "[CMD, ollama, list]" if one.program.kind == "ollama" else "[CMD, python, -c, urllib.request...]"
            change = {"healthcheck": {"test": ["CMD", "ollama", "list"]}} if one.program.kind == "ollama" else {}
            yield Hit(
                one.health_at,
                one.name,
                text[:80],
                after,
                f"the image has no {tool}: the check is always red",
                change=change,
            )


def start_period(deployment: Deployment) -> Iterator[Hit]:
    """No time to load."""
    for one in deployment.services:
        web = one.program.kind in ("gunicorn", "uvicorn") and bool(one.runtimes)
        of_compose = one.dockerfile is None or one.health_at is None or one.health_at.file != one.dockerfile.file
        if one.health and one.health_at and web and of_compose and one.health_start is None and not one.is_unit:
            yield Hit(
                one.health_at,
                one.name,
                "no start_period",
                "start_period: 120s",
                "checks count while the models still load",
                change={"healthcheck": {"start_period": "120s"}},
            )


FACTS = "docs/facts.md, "
RULES = (
    Rule("health-missing", "note", "No health check", FACTS + "Docker", missing),
    Rule(
        "health-imports-app",
        "warning",
        "The health check imports the app",
        FACTS + "gunicorn, uvicorn, Celery",
        imports_app,
    ),
    Rule("health-cannot-run", "error", "The health check's program is missing", FACTS + "Ollama", no_curl),
    Rule("health-start-period", "note", "No start period", FACTS + "Docker", start_period),
)
