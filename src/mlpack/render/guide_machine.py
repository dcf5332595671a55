"""What machine the guide asks for: memory of the host, of Docker Desktop's virtual machine, of a Windows PC or a Mac.

The plan's limits stay; what is worked out here is the smallest machine on which the same plan still fits.
"""

from __future__ import annotations

from math import ceil

from mlpack.plan import Plan
from mlpack.planner.budget import KEEP_BACK_BYTES, MEMORY_SHARE
from mlpack.units import GIB, MIB

VM_SEEN_SHARE = 0.95
"""Of a virtual machine's memory, what its kernel leaves to show: 7.63 GiB of 8 under WSL 2, 7.65 of 8 on a Mac."""
DESKTOP_OS_BYTES = 4 * GIB
"""Kept for Windows or macOS themselves and a browser."""
DESKTOP_VM_SHARE = 0.5
"""What Docker Desktop and WSL 2 give their virtual machine when nobody says otherwise (their documentation)."""


def machine_view(plan: Plan) -> dict[str, object]:
    """Sizes as text; GB here are what Windows and Docker Desktop call so, 1024^3 bytes.

    ``pc_least``: the RAM with which the computer itself keeps enough; ``pc_default``: with which no setting is needed,
    and ``in_between`` whether there are sizes from the one to the other.
    """
    host = host_bytes(plan)
    machine = vm_gib(host)
    least, default = machine + DESKTOP_OS_BYTES // GIB, pc_gib(machine, DESKTOP_VM_SHARE)
    return {
        "host": f"{ceil(10 * host / GIB) / 10:g} GiB",
        "host_mib": f"{host // MIB:,}",
        "vm": str(machine),
        "vm_seen": f"{machine * VM_SEEN_SHARE:.1f}",
        "pc_default": str(max(least, default)),
        "pc_least": str(least),
        "in_between": least < default,
        "processors": str(ceil(plan.budget.cores.value)),
    }


def host_bytes(plan: Plan) -> int:
    """The least memory of a host, as its engine reports it, on which this plan's limits are within the budget."""
    budget = plan.spec.budget
    kept = KEEP_BACK_BYTES if budget.keep_back_bytes is None else budget.keep_back_bytes
    share = 1.0 if budget.memory_bytes is not None else budget.memory_share or MEMORY_SHARE
    used = plan.budget.used_bytes
    return ceil(max(used / share, used + kept) / MIB) * MIB


def vm_gib(host: int) -> int:
    """Whole GB to give a virtual machine, so that ``host`` bytes are left of it; .wslconfig takes whole numbers."""
    return ceil(host / VM_SEEN_SHARE / GIB)


def pc_gib(machine_gib: int, share: float) -> int:
    """The RAM, in the even sizes that PCs have, whose ``share`` is ``machine_gib``."""
    return 2 * ceil(machine_gib / share / 2)
