"""verify of whole systems: secrets, upstreams, steps, workers without a port, proxies with certificates."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts import write_files
from tests.e2e import standins
from tests.planner.build import plan as make_plan
from tests.verify import hand

from mlpack.launchers import engine
from mlpack.plan import Plan
from mlpack.report import CheckResult, VerifyReport
from mlpack.verify import verify

pytestmark = pytest.mark.engine
KEYED = {"X-API-Key": {"secret": "key"}}
WEB: dict[str, Any] = {
    "server": "uvicorn",
    "app": "app:app",
    "image": standins.APP,
    "port": 8000,
    "health": "/health",
    "models": [],
    "workers": 1,
    "cpus": 1.0,
    "env": {
        "BROKER": {"of": "queue", "fact": "url"},
        "DATABASE": {"of": "db", "fact": "url"},
        "KEY": {"secret": "key"},
    },
}


def system(proxy: dict[str, Any], *, step: str = "print('ready')", header: bool = True) -> Plan:
    """Web, worker, queue, database and a proxy; requests go through the proxy and carry the key."""
    worker = {
        "server": "celery",
        "app": "app:app",
        "image": standins.APP,
        "workers": 2,
        "cpus": 1.0,
        "env": {"BROKER": {"of": "queue", "fact": "url"}},
    }
    asked = {"to": "proxy", "method": "POST", "path": "/any", "json": {"x": 1}, "headers": KEYED if header else {}}
    services = {
        "web": {**WEB, "command": [["python", "-c", step]]},
        "worker": worker,
        "queue": {"server": "redis"},
        "db": {"server": "postgres"},
        "proxy": {"to": "web", **proxy},
    }
    return make_plan(
        services,
        {},
        name=f"t{uuid.uuid4().hex[:8]}",
        secrets=("key",),
        requests={"one": {"largest": True, "steps": [{**asked, "expect": {"json": {"body": 8}}}]}},
        verify={"requests": 40, "concurrency": 4},
    )


@pytest.fixture
def verified(tmp_path: Path) -> Callable[..., tuple[VerifyReport, list[str]]]:
    """Renders and verifies a plan; the report, and all that was said."""

    def go(plan: Plan) -> tuple[VerifyReport, list[str]]:
        standins.provide("app", "redis", "postgres", "nginx", "caddy")
        folder = write_files(plan, tmp_path)
        (folder / "secrets").mkdir(mode=0o700, exist_ok=True)
        (folder / "secrets" / "key").write_text("the-key-itself\n")
        said: list[str] = []
        report = verify(tmp_path, hand.lock(plan), launcher="compose", progress=said.append, host=hand.host())
        mine = [found for found in engine.labelled(os.environ) if f" pid={os.getpid()} " in found.label]
        assert mine == [], "left behind"
        return report, said

    return go


def check(report: VerifyReport, name: str) -> CheckResult:
    return next(result for result in report.checks if result.name == name)


NGINX = {"server": "nginx", "domain": "eyes.example.org"}
CADDY = {"server": "caddy", "domain": "eyes.example.org"}
LOCAL = {"server": "caddy", "domain": "eyes.test", "publish": 8443}
PLAIN = {"server": "nginx"}


@pytest.mark.parametrize("proxy", [NGINX, CADDY, LOCAL, PLAIN], ids=["nginx", "caddy", "caddy-local", "plain"])
def test_a_whole_system_passes(proxy: dict[str, Any], verified: Callable[..., tuple[VerifyReport, list[str]]]) -> None:
    """The key reaches the app through the proxy, whose certificate is checked; nothing fails, nothing shows the key."""
    report, said = verified(system(proxy))
    text = report.to_json() + "\n".join(said)
    failed = [(c.name, c.summary, c.evidence) for c in report.checks if c.status in ("failed", "skipped")]
    assert failed == []
    assert "the-key-itself" not in text
    ready = "\n".join(check(report, "ready").evidence)
    domain = proxy.get("domain")
    how = f"by HTTPS as {domain}, certificate checked" if domain else "by plain HTTP"
    assert f"proxy-1: answers {how}" in ready
    redirected = f"proxy-1: plain HTTP is sent to https://{domain}/" in ready
    assert redirected == (domain == "eyes.example.org")
    # upstreams were watched from their start, while those that need them were not even started
    web = next(at for at, line in enumerate(said) if re.search(r"web-1\s+Started", line))
    assert said.index("queue-1 runs and is watched") < web
    assert said.index("db-1 runs and is watched") < web
    watched = {measured.service: measured for measured in report.services}
    assert set(watched) == {"web", "worker", "queue", "db", "proxy"}
    assert all(measured.peak_need_bytes > 0 and measured.samples for measured in report.services)
    assert "queue-1: healthy after" in ready
    assert "db-1: healthy after" in ready
    planned = check(report, "planned").evidence
    assert "worker-1: 2 workers, 2 planned" in planned


def test_a_missing_key_is_a_wrong_answer(verified: Callable[..., tuple[VerifyReport, list[str]]]) -> None:
    report, _ = verified(system(PLAIN, header=False))
    ready = check(report, "ready")
    assert ready.status == "failed"
    assert "401" in ready.summary + "".join(ready.evidence)


def test_a_failing_step_is_named_with_its_words(verified: Callable[..., tuple[VerifyReport, list[str]]]) -> None:
    report, said = verified(system(PLAIN, step="import os; raise SystemExit('no table for ' + os.environ['KEY'])"))
    starts = check(report, "starts")
    assert starts.status == "failed"
    assert "no table for ***" in "\n".join(starts.evidence)
    assert "the-key-itself" not in report.to_json()
    assert "the-key-itself" not in "\n".join(said)
