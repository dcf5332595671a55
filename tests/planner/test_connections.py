"""A database whose connections do not suffice is named before anything runs."""

from __future__ import annotations

from tests.planner.build import plan

DB = {"server": "postgres"}
USES = {"DATABASE_URL": {"of": "db", "fact": "url"}}


def test_more_requests_than_connections_are_a_warning() -> None:
    web = {"server": "gunicorn", "app": "a:b", "env": USES, "workers": 2}
    worker = {"server": "celery", "app": "a:b", "env": USES, "workers": 3}
    fits = plan({"web": {**web, "concurrency": 22}, "worker": worker, "db": DB}, {})
    assert "connections-short" not in [finding.code for finding in fits.findings]
    short = plan({"web": {**web, "concurrency": 23}, "worker": worker, "db": DB}, {})
    (found,) = [finding for finding in short.findings if finding.code == "connections-short"]
    assert "49 requests at once" in found.message
    assert "web 46, worker 3" in found.message
    assert "gives 47" in found.message


def test_who_does_not_use_it_does_not_count() -> None:
    web = {"server": "gunicorn", "app": "a:b", "workers": 2, "concurrency": 40}
    assert "connections-short" not in [finding.code for finding in plan({"web": web, "db": DB}, {}).findings]
