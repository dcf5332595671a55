"""nginx.conf, read by a parser of nginx's grammar: what is limited, sent, passed on and looked up while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import crossplane  # type: ignore[import-untyped]
import pytest
from tests.artifacts import texts
from tests.planner.build import plan as make_plan

from mlpack.servers.nginx import burst, rate_text

API: dict[str, Any] = {"server": "uvicorn", "app": "app:app", "models": [], "port": 8000, "max_body_bytes": 10_485_760}
PROXY: dict[str, Any] = {"server": "nginx", "to": "api", "domain": "eyes.example.org", "rate_per_s": 100.0}


def parsed(tmp_path: Path, **more: Any) -> list[dict[str, Any]]:
    """The directives of the rendered file. Fails on anything that nginx would not know at its place."""
    proxy = {key: value for key, value in {**PROXY, **more}.items() if value is not None}
    plan = make_plan({"api": API, "proxy": proxy}, {}, build={"requirements": "requirements.txt"})
    path = tmp_path / "nginx.conf"
    path.write_text(texts(plan)["proxy.nginx.conf"])
    answer = crossplane.parse(str(path), strict=True, check_ctx=True, check_args=True)
    # the parser takes the two rows of `map` for directives: their first words are values
    assert [error["error"].partition(" in /")[0] for error in answer["errors"]] == [
        'unknown directive "default"',
        'unknown directive ""',
    ]
    found: list[dict[str, Any]] = answer["config"][0]["parsed"]
    return found


def inside(directives: list[dict[str, Any]], *path: str) -> list[list[str]]:
    """Arguments of every directive at ``path``."""
    found = [one for one in directives if one["directive"] == path[0]]
    if len(path) == 1:
        return [one["args"] for one in found]
    return [args for one in found for args in inside(one["block"], *path[1:])]


def test_limits_and_headers_are_in_force_where_they_should(tmp_path: Path) -> None:
    file = parsed(tmp_path)
    assert inside(file, "http", "limit_req_zone") == [["$binary_remote_addr", "zone=clients:2m", "rate=100r/s"]]
    assert inside(file, "http", "limit_req_status") == [["429"]]
    assert inside(file, "http", "server", "location", "limit_req") == [["zone=clients", "burst=100"]]
    assert inside(file, "http", "server", "client_max_body_size") == [["10485760"]]
    assert inside(file, "http", "server_tokens") == [["off"]]
    headers = {args[0]: args[1:] for args in inside(file, "http", "server", "add_header")}
    assert headers["X-Content-Type-Options"] == ["nosniff", "always"]
    assert headers["Strict-Transport-Security"] == ["max-age=31536000", "always"]
    # nginx drops a server's headers in a location that adds its own
    assert inside(file, "http", "server", "location", "add_header") == []


def test_tls_and_the_way_to_it(tmp_path: Path) -> None:
    file = parsed(tmp_path)
    assert inside(file, "http", "server", "listen") == [["80", "default_server"], ["443", "ssl", "default_server"]]
    assert inside(file, "http", "server", "return") == [["301", "https://eyes.example.org$request_uri"]]
    assert inside(file, "http", "server", "ssl_protocols") == [["TLSv1.2", "TLSv1.3"]]
    assert inside(file, "http", "server", "ssl_certificate_key") == [["/run/secrets/proxy.key"]]


def test_replicas_are_looked_up_by_name_while_it_runs(tmp_path: Path) -> None:
    """A name in an upstream block, or in proxy_pass itself, is looked up once; one in a variable again and again."""
    file = parsed(tmp_path)
    assert inside(file, "http", "upstream") == []
    assert inside(file, "http", "resolver") == [["127.0.0.11", "valid=2s", "ipv6=off"]]
    assert inside(file, "http", "server", "set") == [["$upstream", "api"]]
    assert inside(file, "http", "server", "location", "proxy_pass") == [["http://$upstream:8000"]]


def test_a_client_cannot_claim_another_address(tmp_path: Path) -> None:
    passed = {args[0]: args[1] for args in inside(parsed(tmp_path), "http", "server", "proxy_set_header")}
    # nginx drops a server's headers in a location that passes on its own
    assert inside(parsed(tmp_path), "http", "server", "location", "proxy_set_header") == []
    assert passed["X-Forwarded-For"] == passed["X-Real-IP"] == "$remote_addr"
    assert passed["X-Forwarded-Proto"] == "$scheme"


def test_without_rate_or_domain_there_is_neither(tmp_path: Path) -> None:
    file = parsed(tmp_path, rate_per_s=None, domain=None)
    assert inside(file, "http", "limit_req_zone") == []
    assert inside(file, "http", "server", "location", "limit_req") == []
    assert inside(file, "http", "server", "listen") == [["80", "default_server"]]
    assert inside(file, "http", "server", "ssl_certificate") == []


@pytest.mark.parametrize(
    ("rate", "text", "waiting"), [(100, "100r/s", 100), (0.5, "30r/m", 1), (2.5, "150r/m", 3), (0.001, "1r/m", 1)]
)
def test_rates_are_whole_numbers(rate: float, text: str, waiting: int) -> None:
    assert rate_text(rate) == text
    assert burst(rate) == waiting


def test_only_a_repeatable_request_is_kept_and_asked_again_once(tmp_path: Path) -> None:
    """A begun body can only be passed on if it was kept; the second round has no way to a third."""

    def server(**more: Any) -> list[dict[str, Any]]:
        services = {"api": {**API, **more}, "proxy": PROXY}
        path = tmp_path / "nginx.conf"
        path.write_text(texts(make_plan(services, {}, build={"requirements": "requirements.txt"}))["proxy.nginx.conf"])
        found = crossplane.parse(str(path), check_ctx=True, check_args=True)["config"][0]["parsed"]
        http = next(one for one in found if one["directive"] == "http")["block"]
        block: list[dict[str, Any]] = [one for one in http if one["directive"] == "server"][-1]["block"]
        return block

    usual, again = server(), server(repeatable=True)
    for block, buffering in ((usual, "off"), (again, "on")):
        assert inside(block, "proxy_request_buffering") == [[buffering]]
        assert inside(block, "proxy_next_upstream") == [["error", "timeout"]]  # of one that has taken it: none
        assert inside(block, "proxy_next_upstream_tries") == []
    assert inside(again, "client_body_buffer_size") == [["16384"]]
    assert inside(usual, "location") == [["/"]]
    assert inside(usual, "location", "error_page") == []
    assert inside(again, "location") == [["/"], ["@again"]]
    assert inside(again, "location", "error_page") == [["502", "=", "@again"]]
    assert inside(again, "location", "proxy_pass") == [["http://$upstream:8000"]] * 2
    assert inside(again, "location", "limit_req") == [["zone=clients", "burst=100"]], "asked again, not counted again"


def test_bodies_that_are_kept_are_planned_for() -> None:
    def memory(repeatable: bool) -> Any:
        services = {"api": {**API, "repeatable": repeatable}, "proxy": PROXY}
        made = make_plan(services, {}, build={"requirements": "requirements.txt"}, verify={"concurrency": 20})
        return made.services["proxy"].memory

    usual, kept = memory(False), memory(True)
    bodies = 20 * API["max_body_bytes"]
    assert kept.serve_bytes - usual.serve_bytes == bodies + 1024 * 2 * 16 * 1024
    assert kept.tmp_bytes.value >= bodies > usual.tmp_bytes.value
    assert kept.limit_bytes.value >= kept.serve_bytes
