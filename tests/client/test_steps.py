"""Requests against a real server on loopback: steps, polling, failures of every kind, and no secret in what is said."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlpack.client import http
from mlpack.client.files import Files
from mlpack.client.http import open_client
from mlpack.client.steps import Connection, Exchange, run_request
from mlpack.client.wait import not_healthy
from mlpack.spec import EnvValue, Expect, Request, Step


class Handler(BaseHTTPRequestHandler):
    """A small job service, and routes that misbehave."""

    protocol_version = "HTTP/1.1"
    polls = 0
    hang = threading.Event()

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, value: Any) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/echo":
            self.reply(200, {"type": self.headers["Content-Type"], "body": body.decode("utf-8", "replace")})
        elif self.path == "/analyze":
            type(self).polls = 0
            self.reply(200, {"id": "job/1"})
        elif self.path == "/secret":
            self.reply(403, {"refused": self.headers.get("X-API-Key")})

    def do_GET(self) -> None:
        if self.path == "/jobs/job%2F1":
            type(self).polls += 1
            state = "done" if self.polls >= 3 else "running"
            self.reply(200 if self.polls > 1 else 404, {"state": state, "volume_ml": 12.4, "id": "changed"})
        elif self.path == "/health":
            self.reply(200, b"ok")
        elif self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"short")
            self.close_connection = True
        elif self.path == "/hang":
            self.hang.wait(10)
            self.close_connection = True
        elif self.path == "/gzip":
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"zzzz")
        elif self.path == "/large":
            self.reply(200, b"x" * 100_000)
        else:
            self.reply(404, {"detail": "Not Found"})


class Server(ThreadingHTTPServer):
    """Silent about clients that hang up."""

    def handle_error(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Handler.hang.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def connection(base: str, tmp_path: Path) -> Iterator[Connection]:
    (tmp_path / "scan.npy").write_bytes(b"\x93NUMPY")
    with open_client() as client:
        yield Connection(
            client=client,
            bases={"web": base},
            files=Files(tmp_path),
            timeout_s=5,
            secrets={"api_key": "s3cret"},
            environ={"PATH": "/usr/bin:/bin"},
            sleep=lambda _seconds: None,
        )


def one(connection: Connection, **step: Any) -> Exchange:
    exchanges = run_request(Request(steps=(Step(to="web", **step),)), connection)
    assert len(exchanges) == 1
    return exchanges[0]


def test_a_job_is_posted_polled_and_checked(connection: Connection) -> None:
    done = {"state": "done"}
    request = Request(
        steps=(
            Step(to="web", method="POST", path="/analyze", file={"scan": "scan.npy"}),
            Step(
                to="web",
                path="/jobs/{id}",
                until=Expect(json_=done),
                expect=Expect(json_={"volume_ml": {"near": 12.3, "within": 0.5}}),
            ),
            Step(to="web", path="/never/{missing}"),
        )
    )
    exchanges = run_request(request, connection)
    assert [exchange.kind for exchange in exchanges] == [None, None, "step failed"]
    assert exchanges[1].what == "GET web /jobs/{id}"
    assert Handler.polls == 3
    assert "they have: id, state, volume_ml" in exchanges[2].problems[0]


def test_polling_ends_at_the_deadline_with_the_last_problem(connection: Connection) -> None:
    now = 0.0
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    slow = Connection(
        client=connection.client,
        bases=connection.bases,
        files=connection.files,
        timeout_s=5,
        clock=lambda: now,
        sleep=sleep,
    )
    got = one(slow, path="/health", until=Expect(status=204), within_s=7)
    assert got.problems == ("not so within 7 s: status 200, expected 204: ok",)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 1.85])
    assert sum(pauses) == pytest.approx(7)


def test_the_first_wrong_step_is_the_last(connection: Connection) -> None:
    steps = (Step(to="web", path="/absent"), Step(to="web", path="/health"))
    exchanges = run_request(Request(steps=steps), connection)
    assert [exchange.kind for exchange in exchanges] == ["status 404"]
    assert exchanges[0].problems == ('status 404, expected 200: {"detail": "Not Found"}',)


def test_bodies_arrive_as_sent(connection: Connection) -> None:
    got = one(connection, method="POST", path="/echo", json={"text": "Grüße"})
    assert got.answer is not None
    assert got.answer.json == {"type": "application/json", "body": '{"text": "Grüße"}'}


@pytest.mark.parametrize(
    ("path", "kind", "says"),
    [
        ("/cut", "connection broken", "peer closed connection"),
        ("/gzip", "connection broken", "incorrect header"),
        ("/redirect", "status 302", "expected 200"),
        ("/large", "answer too large", "MiB"),
        ("/\x00", "connection broken", "character"),
    ],
)
def test_servers_that_misbehave_are_answers(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, path: str, kind: str, says: str
) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 50_000)
    got = one(connection, path=path)
    assert got.kind == kind
    assert says in got.problems[0]


def test_a_server_that_never_answers_is_given_up(connection: Connection) -> None:
    impatient = Connection(connection.client, connection.bases, connection.files, timeout_s=0.1)
    got = one(impatient, path="/hang")
    assert got.kind == "timed out"
    assert got.problems == ("timed out: no answer within 0.1 s",)


def test_a_port_where_nobody_listens(connection: Connection) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
        dead = Connection(connection.client, {"web": nowhere}, connection.files, timeout_s=5)
        got = one(dead, path="/")
        assert got.kind == "no connection"
        assert "refused" in got.problems[0]
        assert "refused" in str(not_healthy(connection.client, nowhere, "/health"))


def test_health(connection: Connection, base: str) -> None:
    assert not_healthy(connection.client, base, "/health") is None
    assert not_healthy(connection.client, base, "/absent") == "status 404"


def test_a_service_without_an_address_and_a_missing_sample_are_said(connection: Connection) -> None:
    assert "'api' has no address" in run_request(Request(steps=(Step(to="api", path="/"),)), connection)[0].problems[0]
    got = one(connection, method="POST", path="/echo", file={"scan": "absent.npy"})
    assert got.kind == "step failed"
    assert "absent.npy" in got.problems[0]


def test_secrets_never_show(connection: Connection) -> None:
    got = one(connection, method="POST", path="/secret", headers={"X-API-Key": EnvValue(secret="api_key")})
    assert got.problems == ('status 403, expected 200: {"refused": "***"}',)
    assert "s3cret" not in repr(connection)


def test_proxy_variables_are_ignored(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
    with open_client() as client:
        assert not_healthy(client, base, "/health") is None
    assert isinstance(client, httpx.Client)


def test_run_steps_find_the_services_and_fail_by_exit_code(connection: Connection, base: str) -> None:
    ask = "import os, sys; sys.exit(os.environ['MLPACK_WEB_URL'] + ' ' + os.getcwd())"
    got = run_request(Request(steps=(Step(run=(sys.executable, "-c", ask)),)), connection)[0]
    assert got.problems == (f"exit code 1: {base} {connection.files.root}",)
    assert got.kind == "step failed"
    good = run_request(Request(steps=(Step(run=(sys.executable, "-c", "")),)), connection)[0]
    assert good.problems == ()
    absent = run_request(Request(steps=(Step(run=("no-such-program",)),)), connection)[0]
    assert "cannot start no-such-program" in absent.problems[0]
