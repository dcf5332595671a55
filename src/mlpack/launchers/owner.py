"""Whose run something belongs to: a label that tells, from another process and later, whether that run still lives."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

LABEL = "org.mlpack.verify"
"""Label of every container, network and volume that verify makes."""
VARIABLE = "MLPACK_VERIFY_OWNER"
"""The same, in the environment of local processes."""
SAME_START_S = 2.0
"""Two readings of a process's start time may differ by the clock's adjustment."""


@dataclass(frozen=True)
class Owner:
    """A run and the process that conducts it."""

    run: str
    host: str
    namespace: str
    """The pid namespace; numbers of another one mean nothing here."""
    pid: int
    started_s: float
    """When that process started, seconds since the epoch: pids are used again."""

    @property
    def label(self) -> str:
        """As one label value: ``run=... host=... ns=... pid=... start=...``."""
        who = f"run={self.run} host={self.host} ns={self.namespace} pid={self.pid}"
        return f"{who} start={self.started_s:.2f}"  # no character that compose or a shell would expand

    @property
    def project(self) -> str:
        """The compose project of this run, and the name of its temporary folder and cgroups."""
        return f"mlpack-verify-{self.run}"


def current_owner() -> Owner:
    """The owner of a new run of this process."""
    process = psutil.Process()
    return Owner(secrets.token_hex(4), socket.gethostname(), pid_namespace(), process.pid, process.create_time())


def parse_owner(label: str) -> Owner | None:
    """The owner that ``label`` names; None when it is not such a label."""
    words = dict(word.split("=", 1) for word in label.split(" ") if "=" in word)
    try:
        return Owner(words["run"], words["host"], words["ns"], int(words["pid"]), float(words["start"]))
    except (KeyError, ValueError):
        return None


def life(owner: Owner, here: Owner) -> Literal["alive", "dead", "unknown"]:
    """Whether ``owner``'s process lives; unknown when it ran on another machine or in another pid namespace."""
    if (owner.host, owner.namespace) != (here.host, here.namespace):
        return "unknown"
    try:
        process = psutil.Process(owner.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return "dead"
        started_s = process.create_time()
    except psutil.NoSuchProcess:
        return "dead"
    except psutil.AccessDenied:
        return "alive"
    return "alive" if abs(started_s - owner.started_s) < SAME_START_S else "dead"


def pid_namespace(proc: Path = Path("/proc")) -> str:
    """The number of this process's pid namespace; empty where there is no such thing."""
    try:
        return str((proc / "self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        return ""
