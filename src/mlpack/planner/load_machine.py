"""Which machine would bear the load, where this one does not: found by planning for larger ones, not by a formula."""

from __future__ import annotations

from collections.abc import Callable

from mlpack.errors import DoesNotFit, SpecError
from mlpack.host import HostFacts
from mlpack.plan import Plan
from mlpack.planner.budget import Household
from mlpack.planner.machines import fitting_machines, resized, sold_bytes
from mlpack.units import GIB, TIB

UNMET = "load-not-met"
"""The code of the finding that a load is not borne."""
MOST_CORES = 512
"""Larger single machines are rare; beyond them a load is a matter for several hosts."""
PLENTY_BYTES = 16 * TIB


def bears(plan: Plan) -> bool:
    """No service of ``plan`` fails its load."""
    return all(finding.code != UNMET for finding in plan.findings)


def machine_for_load(host: HostFacts, plan_on: Callable[[HostFacts], Plan], house: Household) -> str:
    """The machine that would bear the load, in words; or that more cores alone will not do.

    ``plan_on`` plans the same system on another machine, like ``host`` but larger. Cores are doubled until one
    bears it and then narrowed down, with more memory than any plan uses; what that plan uses, under the share that may
    be used, is the memory.
    """

    def tried(cores: int) -> Plan | None:
        try:
            plan = plan_on(resized(host, PLENTY_BYTES, float(cores)))
        except (DoesNotFit, SpecError):
            return None
        return plan if bears(plan) else None

    most = max(1, int(house.cores.value))
    found = None
    while found is None and most < MOST_CORES:
        least, most = most, min(2 * most, MOST_CORES)
        found = tried(most)
    if found is None:
        return (
            "no machine with more cores would do: faster cores, a smaller model or input, another objective, or fewer "
            "numbers set by hand"
        )
    while most - least > 1:
        middle = (least + most) // 2
        plan = tried(middle)
        least, most, found = (least, middle, plan) if plan is not None else (middle, most, found)
    sold = sold_bytes(house.host_bytes(found.budget.used_bytes))
    names = fitting_machines(sold, most)
    like = f", like {' or '.join(names)}" if names else ""
    return f"a machine with {most} cores and {-(-sold // GIB)} GiB of memory as it is sold would do{like}"
