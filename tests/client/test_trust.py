"""One certificate for one address, by a real TLS server."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mlpack.client.http import Answer, open_client, send
from mlpack.client.message import Message
from mlpack.client.trust import Trust

NAME = "eyes.example.org"


def certificate(folder: Path, name: str, *more: str) -> tuple[str, Path]:
    """A self-made certificate for ``name``: its PEM, and a file with its key too."""
    key, crt = folder / "key.pem", folder / "crt.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", *more]
    subprocess.run([*words, "-keyout", key, "-out", crt], check=True, capture_output=True)
    (folder / "both.pem").write_text(key.read_text() + crt.read_text())
    return crt.read_text(), folder / "both.pem"


class Handler(BaseHTTPRequestHandler):
    """Says which host it was asked for."""

    def do_GET(self) -> None:
        body = f"{self.headers['Host']} {self.server.asked}".encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Quiet."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URL and certificate of a server that bears NAME."""
    pem, both = certificate(tmp_path, NAME)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    server = HTTPServer(("127.0.0.1", 0), Handler)

    def named(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        server.asked = name  # type: ignore[attr-defined]

    context.sni_callback = named
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", pem
    server.shutdown()
    server.server_close()


def ask(url: str, trusted: dict[str, Trust]) -> Answer:
    with open_client(trusted=trusted) as client:
        return send(client, url, Message("GET", "/", (), b""), 5.0)


def test_the_name_is_asked_for_and_proven(served: tuple[str, str]) -> None:
    url, pem = served
    assert ask(url, {url: Trust(NAME, pem)}).body.decode() == f"{NAME} {NAME}"
    assert ask(url, {url: Trust(NAME, pem, port=8443)}).body.decode() == f"{NAME}:8443 {NAME}"


def test_another_name_another_certificate_and_nobodys_word_are_refused(
    served: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    url, pem = served
    other, _ = certificate(tmp_path_factory.mktemp("other"), NAME)
    for trusted in ({url: Trust("other.example.org", pem)}, {url: Trust(NAME, other)}, {}):
        answer = ask(url, trusted)
        assert answer.status is None
        assert "CERTIFICATE_VERIFY_FAILED" in (answer.broken or ""), trusted


def test_trust_for_one_address_is_none_for_another(served: tuple[str, str]) -> None:
    url, pem = served
    answer = ask(url, {"https://127.0.0.1:1": Trust(NAME, pem)})
    assert "CERTIFICATE_VERIFY_FAILED" in (answer.broken or "")


def test_a_certificate_that_is_no_authority_is_enough(tmp_path: Path) -> None:
    """What a public authority made for the user: the chain above it is not here."""
    from mlpack.client.trust import context

    pem, both = certificate(tmp_path, NAME, "-addext", "basicConstraints=critical,CA:FALSE")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = server.wrap_bio(there, here, server_side=True)
    near = context(Trust(NAME, pem)).wrap_bio(here, there, server_hostname=NAME)
    for side in (near, far, near, far):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert near.getpeercert() is not None
