"""Machines that are not here: by memory, cores and cards, or by name from the small catalogue in ``machines.json``."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from math import ceil

from mlpack.errors import UsageError
from mlpack.host import CgroupFacts, CpuFacts, GpuFacts, GpuSetFacts, HostFacts, MemoryFacts
from mlpack.noun import Noun
from mlpack.units import GIB, MIB

UNSEEN_SHARE = 0.05
"""Of the memory as sold, what Linux never sees: firmware, the kernel's image and its table of pages. MemTotal of
virtual machines with 4 to 64 GiB is 2 to 5 % below what they are sold with (tests/hosts/a10g.json: 4.7 %)."""
MOST_CARDS = 16


class Card(Noun):
    """A graphics card of the catalogue."""

    name: str
    memory_mib: int
    compute_capability: tuple[int, int]
    source: str


class Machine(Noun):
    """A machine of the catalogue, as it is sold. ``cores`` are what its system shows (on most clouds hyperthreads)."""

    cores: int
    memory_gib: int
    cards: tuple[str, ...] = ()
    source: str


class Catalogue(Noun):
    """``machines.json``."""

    cards: dict[str, Card]
    machines: dict[str, Machine]


@cache
def catalogue() -> Catalogue:
    """The packaged catalogue."""
    text = files("mlpack.planner").joinpath("machines.json").read_text(encoding="utf-8")
    return Catalogue.model_validate_json(text)


def seen_bytes(ram_bytes: int) -> int:
    """What Linux will call MemTotal on a machine that is sold with ``ram_bytes``; on the safe side."""
    return int(ram_bytes * (1 - UNSEEN_SHARE))


def sold_bytes(seen: int) -> int:
    """The memory to buy so that Linux sees ``seen`` bytes: the reverse of ``seen_bytes``."""
    return ceil(seen / (1 - UNSEEN_SHARE))


def machine(ram_bytes: int, cores: float, gpu: str | None = None) -> HostFacts:
    """A Linux machine with ``ram_bytes`` of memory as it is sold, ``cores`` (a fraction is a quota), and cards.

    ``gpu`` is a name of the catalogue, ``2xl4`` for several. Raises UsageError for numbers and names that cannot be.
    """
    if ram_bytes < MIB:
        raise UsageError(f"{ram_bytes} bytes of memory are no machine", where="--ram", hint="write it like 16G")
    if not 0 < cores < 1e5:
        raise UsageError(f"{cores:g} cores are no machine", where="--cores", hint="write it like 4, or 1.5 for a quota")
    whole = ceil(cores)
    return HostFacts(
        system="Linux",
        release="not probed",
        memory=MemoryFacts(total_bytes=seen_bytes(ram_bytes), swap_total_bytes=0),
        cpu=CpuFacts(model=None, architecture="x86_64", physical_cores=None, logical_cores=whole, affinity_cores=whole),
        cgroup=CgroupFacts(version="v2", cpu_quota_cores=None if whole == cores else cores),
        gpus=cards(gpu) if gpu else GpuSetFacts(),
    )


def resized(
    host: HostFacts, ram_bytes: int | None = None, cores: float | None = None, gpu: str | None = None
) -> HostFacts:
    """``host`` with other memory (as sold), cores or cards; its own limits go with what they limited. UsageError as
    ``machine``."""
    other = machine(ram_bytes or GIB, cores or 1.0, gpu)
    engine, cgroup = host.engine, host.cgroup
    if ram_bytes is not None:
        total = other.memory.total_bytes
        host = host.model_copy(
            update={"memory": host.memory.model_copy(update={"total_bytes": total, "available_bytes": None})}
        )
        cgroup = cgroup.model_copy(update={"memory_limit_bytes": None, "memory_limit_at": None})
        engine = engine and engine.model_copy(update={"memory_bytes": total})
    if cores is not None:
        host = host.model_copy(update={"cpu": other.cpu})
        cgroup = cgroup.model_copy(update={"cpu_quota_cores": other.cgroup.cpu_quota_cores, "cpu_quota_at": None})
        engine = engine and engine.model_copy(update={"cores": other.cpu.affinity_cores})
    if gpu is not None:
        host = host.model_copy(update={"gpus": other.gpus})
    return host.model_copy(update={"engine": engine, "cgroup": cgroup})


def named(name: str) -> HostFacts | None:
    """The catalogue's machine ``name`` (``g5.xlarge``, ``Standard_D4s_v5``); None where it is not in it."""
    known = {_key(one): value for one, value in catalogue().machines.items()}
    found = known.get(_key(name).removeprefix("standard"))
    if found is None:
        return None
    return machine(found.memory_gib * GIB, found.cores, f"{len(found.cards)}x{found.cards[0]}" if found.cards else None)


def nearest_machines(name: str) -> str:
    """A hint with the machines that ``name`` may have meant, or all."""
    known = list(catalogue().machines)
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(near)}?" if near else f"known machines: {', '.join(known)}"


def cards(text: str) -> GpuSetFacts:
    """The cards that ``text`` names: ``a10g``, ``A100-80GB``, ``2xl4``. Raises UsageError with what is known."""
    known = {_key(name): card for name, card in catalogue().cards.items()}
    counted = re.match(r"\s*(\d{1,4})\s*x\s*(?=[a-z])", text.lower())
    count, name = (counted.group(1), text[counted.end() :]) if counted else (1, text)
    card = known.get(_key(name)) or known.get(_key(name).removesuffix("b"))
    number = int(count)
    if card is None or not 1 <= number <= MOST_CARDS:
        what = f"there is no card {name!r} in the catalogue" if card is None else f"{number} cards in one machine"
        raise UsageError(what, where="--gpu", hint=f"known: {', '.join(catalogue().cards)}; two of one are 2xl4")
    facts = GpuFacts(
        vendor="nvidia",
        name=card.name,
        memory_total_bytes=card.memory_mib * MIB,
        compute_capability=card.compute_capability,
    )
    return GpuSetFacts(devices=(facts,) * number)


def fitting_machines(ram_bytes: int, cores: float, most: int = 3) -> tuple[str, ...]:
    """The smallest machines of the catalogue with at least this memory and these cores, without cards, memory first."""
    enough = [
        (one.memory_gib, one.cores, name)
        for name, one in catalogue().machines.items()
        if one.memory_gib * GIB >= ram_bytes and one.cores >= cores and not one.cards
    ]
    smallest = sorted(enough)[:1]
    same = [entry for entry in sorted(enough) if smallest and entry[:2] == smallest[0][:2]]
    return tuple(name for _, _, name in same[:most])


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().removeprefix("nvidia"))
