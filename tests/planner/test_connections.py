"""A database whose connections do not suffice is named before anything runs; a head has room for who joins it."""

from __future__ import annotations

from typing import Any

from tests.planner.build import footprint, plan

from mlpack.footprint import Footprint

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


def test_a_head_has_room_for_the_clients_of_one_more_replica() -> None:
    """What joins it has a process in it, and for a while the killed replica's and its successor's are there at once."""

    def clients(web: dict[str, Any], **measured: Footprint) -> list[int]:
        head, proxy = {"server": "ray", "app": "a:b"}, {"server": "nginx", "to": "web"}
        services: dict[str, dict[str, Any]] = {
            "web": {"server": "uvicorn", "app": "a:b", **web},
            "head": head,
            "proxy": proxy,
        }
        terms = plan(services, measured).services["head"].memory.serve_terms
        return [term.count for term in terms if term.name == "clients joining"]

    joins: dict[str, Any] = {"env": {"RAY_ADDRESS": {"of": "head", "fact": "url"}}, "workers": 2, "replicas": 3}
    assert clients({}) == []
    assert clients(joins) == [2 * 4], "without a measurement: of all replicas, and of one more"
    assert clients(joins, head=footprint("head")) == [2], "a measurement has those that are planned"
    assert clients({**joins, "workers": None}, head=footprint("head")) == [4], "at most one worker for each core"
