"""The container engine: where it is looked for, what it may answer, and every way in which it may not."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mlpack.probe.engine import parse_engine
from mlpack.probe.engine_address import Address, address_of, parse_address
from mlpack.probe.engine_http import NoAnswer, get, parse_response
from mlpack.probe.engine_reading import EngineAnswer, read_engine
from mlpack.probe.outside import Outside, Uname
from mlpack.probe.plugins import parse_metadata

from .machines import Answer, engine, says

VERSION = {"Version": "26.1.5", "ApiVersion": "1.45"}
INFO: dict[str, Any] = {"MemTotal": 8 * 1024**3, "NCPU": 4, "CgroupVersion": "2", "OperatingSystem": "Debian"}


def outside(root: Path, host: str | None = None, **environ: str) -> Outside:
    if host:
        environ["DOCKER_HOST"] = host
    linux = Uname("Linux", "6.1", "x86_64")
    return Outside(root=root, environ=environ, home=root / "home", uname=lambda: linux, engine_timeout_s=0.5)


def sends(data: bytes) -> Answer:
    return lambda connection, _path: connection.sendall(data)


def drips(connection: socket.socket, _path: str) -> None:
    """Sends a byte now and then, for ever: a timeout per read would never end."""
    while True:  # until the other side closes, which makes sendall fail
        connection.sendall(b"H")
        time.sleep(0.05)


def hangs(connection: socket.socket, _path: str) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (sends(b""), "not HTTP"),
        (sends(b"\x00\xff garbage \r\n\r\n"), "not HTTP"),
        (sends(b"HTTP/1.0 abc\r\n\r\n"), "not HTTP"),
        (sends(b"HTTP/1.0 200 OK\r\nContent-Length: 500\r\n\r\n{"), "ended in the middle"),
        (sends(b'HTTP/1.0 500 Oh\r\n\r\n{"message":"no space left"}'), "500 Oh"),
        (sends(b"HTTP/1.0 200 OK\r\n\r\nnot json"), None),
        (sends(b"HTTP/1.0 200 OK\r\n\r\n[[[[[["), None),
        (hangs, "no answer within 0.5 s"),
        (drips, "no answer within 0.5 s"),
    ],
)
def test_bad_answers_are_told(answer: Answer, reason: str | None, tmp_path: Path) -> None:
    with engine(answer) as path:
        said = read_engine(outside(tmp_path, f"unix://{path}"))
    facts, unread = parse_engine(said, "Linux", 8 * 1024**3)
    assert facts is None
    assert [item.name for item in unread] == ["engine"]
    assert (reason or "no Version, ApiVersion, MemTotal, NCPU") in unread[0].reason


def test_no_socket(tmp_path: Path) -> None:
    said = read_engine(outside(tmp_path))
    assert said.problem == f"no container engine: {tmp_path}/var/run/docker.sock does not exist"


def test_socket_without_a_daemon(tmp_path: Path) -> None:
    with engine(says({})) as path:
        copy = Path(path).with_name("left-over")
        with socket.socket(socket.AF_UNIX) as unheard:
            unheard.bind(str(copy))
        said = read_engine(outside(tmp_path, f"unix://{copy}"))
    assert said.problem and "connection refused; is the engine running?" in said.problem


def test_file_that_is_no_socket(tmp_path: Path) -> None:
    file = tmp_path / "docker.sock"
    file.write_text("")
    said = read_engine(outside(tmp_path, f"unix://{file}"))
    assert said.problem and "connection refused" in said.problem


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may open anything; become someone who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_socket_of_another_group() -> None:
    with engine(says({"/version": json.dumps(VERSION)})) as path:
        Path(path).parent.chmod(0o755)
        Path(path).chmod(stat.S_IRUSR)
        with as_nobody(), pytest.raises(NoAnswer, match=r"permission denied; is this user in the group"):
            get(Address("default", socket=path), "/version", 1)


def test_path_too_long_for_a_socket(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.write_text("")
    said = read_engine(outside(tmp_path, f"unix://{long}"))
    assert said.problem and "too long" in said.problem


def test_over_tcp(tmp_path: Path) -> None:
    bodies = {"/version": json.dumps(VERSION), "/info": json.dumps(INFO)}
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for _ in bodies:
                connection, _address = listening.accept()
                with connection:
                    says(bodies)(connection, connection.recv(65536).decode().split(" ")[1])

        threading.Thread(target=serve, daemon=True).start()
        said = read_engine(outside(tmp_path, f"tcp://127.0.0.1:{listening.getsockname()[1]}"))
    facts, _ = parse_engine(said, "Linux", 8 * 1024**3)
    assert facts is not None
    assert (facts.version, facts.cores, facts.virtual_machine) == ("26.1.5", 4, False)


@pytest.mark.parametrize(
    ("change", "elsewhere"),
    [
        ({}, False),
        ({"MemTotal": int(7.9 * 1024**3)}, False),
        ({"MemTotal": 4 * 1024**3}, True),
        ({"Name": "colima"}, True),
        ({"OperatingSystem": "OrbStack"}, True),
        ({"OperatingSystem": "Docker Desktop"}, True),
        ({"KernelVersion": "6.10.14-linuxkit"}, True),
        ({"Name": "lima-rancher-desktop"}, True),
    ],
)
def test_whether_the_engine_is_this_machine(change: dict[str, Any], elsewhere: bool) -> None:
    answer = EngineAnswer(json.dumps(VERSION), json.dumps({**INFO, **change}), cdi_devices=("nvidia.com/gpu=0",))
    facts, _ = parse_engine(answer, "Linux", 8 * 1024**3)
    assert facts is not None
    assert facts.virtual_machine is elsewhere
    assert facts.cdi_devices == (() if elsewhere else ("nvidia.com/gpu=0",))  # this machine's files say nothing there


def test_an_engine_on_a_mac_is_always_elsewhere() -> None:
    facts, _ = parse_engine(EngineAnswer(json.dumps(VERSION), json.dumps(INFO)), "Darwin", 8 * 1024**3)
    assert facts is not None and facts.virtual_machine


@pytest.mark.parametrize("value", [0, -1, True, "8", 1.5, None, 1 << 70, [], {}])
def test_memory_that_is_no_size(value: Any) -> None:
    facts, unread = parse_engine(EngineAnswer(json.dumps(VERSION), json.dumps({**INFO, "MemTotal": value})), "Linux", 1)
    assert facts is None
    assert "MemTotal" in unread[0].reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:///run/user/1000/docker.sock", ("/run/user/1000/docker.sock", None, 2375)),
        ("tcp://10.0.0.5:2375", (None, "10.0.0.5", 2375)),
        ("tcp://build-host", (None, "build-host", 2375)),
        ("tcp://[::1]:2376/", (None, "::1", 2376)),
    ],
)
def test_addresses(text: str, expected: tuple[str | None, str | None, int]) -> None:
    address = parse_address(text, "DOCKER_HOST")
    assert (address.socket, address.host, address.port) == expected
    assert address.problem is None


@pytest.mark.parametrize(
    "text",
    ["", "ssh://me@host", "npipe:////./pipe/docker_engine", "unix://", "tcp://", "tcp://h:0", "tcp://h:99999", "x"],
)
def test_addresses_that_are_not_read(text: str) -> None:
    assert parse_address(text, "DOCKER_HOST").problem


def test_tls_is_said() -> None:
    assert "TLS" in (parse_address("tcp://h:2376", "DOCKER_HOST", tls=True).problem or "")


def context(root: Path, name: str, host: str) -> None:
    folder = root / "home/.docker/contexts/meta" / sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_the_chosen_context(tmp_path: Path) -> None:
    context(tmp_path, "desktop-linux", "unix:///Users/me/.docker/run/docker.sock")
    context(tmp_path, "colima", "unix:///Users/me/.colima/default/docker.sock")
    (tmp_path / "home/.docker/config.json").write_text('{"currentContext": "desktop-linux"}')
    chosen = address_of(outside(tmp_path))
    assert (chosen.socket, chosen.said_by) == ("/Users/me/.docker/run/docker.sock", "context desktop-linux")
    assert address_of(outside(tmp_path, DOCKER_CONTEXT="colima")).socket == "/Users/me/.colima/default/docker.sock"
    assert address_of(outside(tmp_path, "unix:///x", DOCKER_CONTEXT="colima")).socket == "/x"
    assert "names no host" in (address_of(outside(tmp_path, DOCKER_CONTEXT="gone")).problem or "")


@pytest.mark.parametrize("config", ["", "[]", "{", '{"currentContext": 7}', '{"currentContext": "default"}'])
def test_no_chosen_context(config: str, tmp_path: Path) -> None:
    (tmp_path / "home/.docker").mkdir(parents=True)
    (tmp_path / "home/.docker/config.json").write_text(config)
    assert address_of(outside(tmp_path)).socket == str(tmp_path / "var/run/docker.sock")


def plugin(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"docker-{name}"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_plugins_are_asked_the_users_own_first(tmp_path: Path) -> None:
    metadata = 'test "$1" = docker-cli-plugin-metadata && echo \'{{"SchemaVersion":"0.1.0","Version":"{}"}}\''
    plugin(tmp_path / "usr/libexec/docker/cli-plugins", "compose", metadata.format("v2.20.0"))
    plugin(tmp_path / "home/.docker/cli-plugins", "compose", metadata.format("v2.35.1"))
    plugin(tmp_path / "usr/libexec/docker/cli-plugins", "buildx", "echo broken; exit 1")
    bodies = {"/version": json.dumps(VERSION), "/info": json.dumps(INFO)}
    with engine(says(bodies)) as path:
        here = outside(tmp_path, f"unix://{path}")
        said, quick = read_engine(replace(here, plugins=True)), read_engine(here)
    assert (said.compose_version, said.buildx_version) == ("2.35.1", None)
    assert (quick.compose_version, quick.buildx_version) == (None, None)
    assert all("not asked" in item.reason for item in parse_engine(quick, "Linux", 8 * 1024**3)[1])
    _, unread = parse_engine(said, "Linux", 8 * 1024**3)
    assert [item.name for item in unread] == ["engine.buildx_version"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Version": 2}', '{"Version": ""}', "v2.20"])
def test_metadata_of_another_form(text: str) -> None:
    assert parse_metadata(text) is None


def test_a_whole_response() -> None:
    assert parse_response(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") == b"{}"


@pytest.mark.engine
def test_the_engine_here_answers() -> None:
    """The recorded answers' form is the real one's."""
    facts, unread = parse_engine(read_engine(Outside(plugins=True)), "Linux", 1 << 40)
    assert facts is not None, unread
    assert facts.cores >= 1 and facts.memory_bytes > 1 << 26
    assert facts.compose_version and facts.cgroup_version
