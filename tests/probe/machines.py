"""Recorded machines as ``Outside``: files unpacked into a folder, calls answered, the engine on a socket."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlpack.probe.desktop import Desktop
from mlpack.probe.nvml import NvmlAnswer, NvmlDevice
from mlpack.probe.outside import Outside, Space, Uname

RECORDED = Path(__file__).parents[1] / "recorded"
Answer = Callable[[socket.socket, str], None]
"""What a stand-in engine does with a connection and the path that was asked for."""


def unpack(text: str, root: Path) -> None:
    """Write the files of a ``tree.txt`` below ``root``."""
    for part in ("\n" + text).split("\n=== ")[1:]:
        path, _, content = part.partition("\n")
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n" if content else "")


def outside_of(machine: Path, root: Path, **changes: Any) -> Outside:
    """The recorded ``machine`` with its files below ``root``; its engine is wherever ``changes`` say."""
    unpack((machine / "tree.txt").read_text(), root)
    facts = json.loads((machine / "machine.json").read_text())

    def space(path: Path) -> Space:
        key = "/dev/shm" if path == root / "dev/shm" else "project"
        if key not in facts["space"]:
            raise PermissionError(13, "Permission denied")
        return Space(*facts["space"][key])

    values: dict[str, Any] = {
        "root": root,
        "environ": facts.get("environ", {}),
        "home": root / "home/me",
        "uname": lambda: Uname(*facts["uname"]),
        "affinity": lambda: facts["affinity"],
        "space": space,
        "nvml": lambda: _nvml(facts.get("nvml", {})),
        "desktop": lambda: Desktop(**facts["desktop"]),
        **changes,
    }
    return Outside(**values)


def project_of(machine: Path) -> Path:
    """Where the project lies on the recorded machine."""
    return Path(json.loads((machine / "machine.json").read_text()).get("project", "/opt/project"))


def _nvml(said: dict[str, Any]) -> NvmlAnswer:
    devices = (
        NvmlDevice(**{**device, "capability": tuple(device["capability"])}) for device in said.get("devices", ())
    )
    failures = tuple((name, reason) for name, reason in said.get("failures", ()))
    return NvmlAnswer(**{**said, "devices": tuple(devices), "failures": failures})


@contextmanager
def engine(answer: Answer) -> Iterator[str]:
    """A stand-in engine on a unix socket; gives the socket's path (short: such paths end at 107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="engine") as folder, socket.socket(socket.AF_UNIX) as listening:
        path = f"{folder}/s"
        listening.bind(path)
        listening.listen(8)
        threading.Thread(target=_serve, args=(listening, answer), daemon=True).start()
        try:
            yield path
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, answer: Answer) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_one, args=(connection, answer), daemon=True).start()


def _one(connection: socket.socket, answer: Answer) -> None:
    with suppress(OSError, IndexError), connection:
        answer(connection, connection.recv(65536).decode().split(" ")[1])


def says(texts: dict[str, str]) -> Answer:
    """An engine that answers each path with its text, and 404 elsewhere."""

    def answer(connection: socket.socket, path: str) -> None:
        status = "200 OK" if path in texts else "404 Not Found"
        body = texts.get(path, '{"message":"page not found"}').encode()
        connection.sendall(f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    return answer
