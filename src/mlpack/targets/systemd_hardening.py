"""What a unit is kept from: the sandbox of every kind of program, each line with the reason where it is not usual.

`systemd-analyze security` rates these lines; what it still counts, and why that stays, is in docs/systemd.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.targets.gpu import unit_device_lines

COMMON: tuple[tuple[str, str], ...] = (
    ("NoNewPrivileges", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateMounts", "yes"),
    ("DevicePolicy", "closed"),
    ("ProtectSystem", "strict"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("RemoveIPC", "yes"),
    ("LockPersonality", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallErrorNumber", "EPERM"),
    ("UMask", "0027"),
)
"""For every program. Not ProcSubset=pid: ONNX Runtime and psutil read /proc/cpuinfo and its like (measured). Not
PrivateUsers=: on kernels without user namespaces the unit does not start (measured)."""
CALLS = ("@system-service", "~@privileged", "~@resources")
"""System calls; a line each, as systemd takes a `~` as turning the whole line around."""
LOW_PORT = "CAP_NET_BIND_SERVICE"
FIRST_FREE_PORT = 1024
NO_DEVICES = ("PrivateDevices", "yes")
CARDS_BECAUSE = (
    "cards are devices of the host, which PrivateDevices=yes would hide: only these may be opened, for a higher score "
    "in `systemd-analyze security`"
)
NO_JIT = frozenset({"broker", "proxy"})
"""Programs without code made at run time: torch's bf16 kernels and numba need writable code pages (measured)."""


@dataclass(frozen=True)
class Hardening:
    """The sandbox of one unit: ``lines`` are key and value, ``capabilities`` those that are left."""

    lines: tuple[tuple[str, str], ...]
    capabilities: tuple[str, ...]
    because: str = ""
    """Why it is wider than usual."""


def hardening(plan: Plan, name: str, *, home: bool) -> Hardening:
    """The sandbox of service ``name``; ``home``: something it reads lies below /home, /root or /run/user."""
    service = plan.services[name]
    facts = SERVERS[service.server].FACTS
    low = facts.role == "proxy" and (service.port or FIRST_FREE_PORT) < FIRST_FREE_PORT
    lines = [*COMMON, *(("SystemCallFilter", call) for call in CALLS)]
    lines.append(("ProtectHome", "read-only" if home else "yes"))
    lines += unit_device_lines(service.gpu) if service.gpu is not None else (NO_DEVICES,)
    if facts.role in NO_JIT:
        lines.append(("MemoryDenyWriteExecute", "yes"))
    if facts.role in ("broker", "database"):
        lines += [("IPAddressDeny", "any"), ("IPAddressAllow", "localhost")]
    lines.append(("CapabilityBoundingSet", LOW_PORT if low else ""))
    lines.append(("AmbientCapabilities", LOW_PORT if low else ""))
    because = CARDS_BECAUSE if service.gpu is not None else ""
    return Hardening(tuple(sorted(lines, key=lambda line: line[0])), (LOW_PORT,) if low else (), because)
