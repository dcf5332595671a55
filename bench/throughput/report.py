"""The table of a case: every finalist against the best of them, round by round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

GOAL = 0.95
"""Of the best point's requests per second."""


def rate(moments: Sequence[float], until: float, seconds: float) -> float:
    """Answers per second in the ``seconds`` before ``until``: between the first and the last, so that no edge cuts a
    request in two and the end, when no new request follows, does not count. Where they lie close together, something
    stalled: then all of the time counts."""
    inside = [moment for moment in moments if moment <= until]
    between = max(inside) - min(inside) if inside else 0.0
    return (len(inside) - 1) / between if between > seconds / 2 else len(inside) / seconds


def rows(measured: Mapping[str, Any], points: Mapping[str, str], choice: str) -> list[dict[str, Any]]:
    """One row a finalist, ``choice`` first.

    Each round's rates are divided by the choice's rate in the same round, so that a machine that slows down between
    rounds moves none; the median over the rounds is a finalist's ratio. ``of_best`` divides by the highest ratio.
    ``plus_minus`` is the standard error of that median. A rate of None: a round that was sat out.
    """
    base = measured[choice]["rates"]
    ratios = {name: _ratios(one["rates"], base) for name, one in measured.items()}
    medians = {name: statistics.median(each) if each else 0.0 for name, each in ratios.items()}
    best = max(medians.values())
    first = next((name for name, median in medians.items() if median == best), choice)
    return [
        {
            "name": name,
            "point": points.get(name, "as rendered"),
            "rps": round(statistics.median(_taken(one["rates"])), 2) if _taken(one["rates"]) else 0.0,
            "of_best": round(medians[name] / best, 3) if best else 0.0,
            "plus_minus": round(_error(_ratios(one["rates"], measured[first]["rates"])), 3),
            "choice_is_times": round(1 / medians[name], 2) if medians[name] else None,
            "p95_ms": None if one.get("p95_s") is None else round(1000 * one["p95_s"]),
            "memory_mib": round(one["pss_bytes"] / 2**20) if "pss_bytes" in one else None,
            "errors": one["errors"],
            "failed": one.get("failed"),
            "rates": [rate and round(rate, 2) for rate in one["rates"]],
        }
        for name, one in measured.items()
    ]


def _taken(rates: Sequence[float | None]) -> list[float]:
    return [rate for rate in rates if rate is not None]


def _ratios(rates: Sequence[float | None], base: Sequence[float | None]) -> list[float]:
    return [rate / other for rate, other in zip(rates, base, strict=False) if rate is not None and other]


def _error(ratios: Sequence[float]) -> float:
    """Of the median of ``ratios``: 1.253 standard deviations over the root of their number, the deviation by MAD."""
    if not ratios:
        return 0.0
    middle = statistics.median(ratios)
    deviation = 1.4826 * statistics.median(abs(ratio - middle) for ratio in ratios)
    return 1.253 * deviation / math.sqrt(len(ratios))


def show(result: Mapping[str, Any]) -> None:
    """Print the table of one case."""
    limit = f"{result['cores']} cores and {result['limit_bytes'] / 2**20:.0f} MiB"
    policy = "reads OMP_WAIT_POLICY" if result["openmp_policy_read"] else "has no OpenMP that reads OMP_WAIT_POLICY"
    print(f"\n{result['case']}: {', '.join(result['runtimes'])} under {result['server']}, {limit}; {policy}")
    planned = f"{result['choice']} in {result['choice_limit_bytes'] / 2**20:.0f} MiB"
    print(f"  mlpack: {planned}; preload: {result['preload']}")
    print(f"  {'':35} {'workers x threads':22} {'req/s':>8} {'of best':>8} {'+-':>6} {'p95 ms':>7} {'MiB':>6}")
    for row in result["rows"]:
        words = f"{row['rps']:8.1f} {row['of_best']:8.3f} {row['plus_minus']:6.3f} {row['p95_ms'] or 0:7}"
        words += f" {row['memory_mib'] or 0:6}"
        trouble = row["failed"] or (f"{row['errors']} errors" if row["errors"] else "")
        print(f"  {row['name']:35} {row['point']:22} {words}  {trouble}")
    print(flush=True)


BEGIN, END = "<!-- written by bench/throughput -->", "<!-- end -->"


def with_tables(page: str, results: Sequence[Mapping[str, Any]]) -> str:
    """``page`` with the tables of ``results`` between its two marks. Raises ValueError where a mark is missing."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{_compared(results)}\n\n{_policy(results)}\n\n{END}{after}"


def _compared(results: Sequence[Mapping[str, Any]]) -> str:
    """A row a service: mlpack's choice, the best point, and the share of the best that each peer reaches."""
    names = [row["name"] for row in results[0]["rows"] if row["name"] not in {p["point"] for p in results[0]["grid"]}]
    head = ["service", "planned (workers x threads)", "req/s", "best point", *names]
    lines = [head, ["---"] * len(head)]
    for result in results:
        found = {row["name"]: row for row in result["rows"]}
        best = max(result["rows"], key=lambda row: row["of_best"])
        shares = [_share(found[name]) for name in names]
        shown = best["point"] if best["point"] != "as rendered" else "the plan itself"
        lines.append([result["case"], result["choice"], f"{result['rows'][0]['rps']:.1f}", shown, *shares])
    return "Share of the best point's requests per second:\n\n" + _table(lines)


def _share(row: Mapping[str, Any]) -> str:
    return "hung or died" if row["failed"] else f"{row['of_best']:.2f} +- {row['plus_minus']:.2f}"


def _policy(results: Sequence[Mapping[str, Any]]) -> str:
    """What OMP_WAIT_POLICY=PASSIVE did to teams of several threads: the rate with it over the rate without."""
    read = [result for result in results if result["openmp_policy_read"]]
    twins = {one["point"]: _twin(one["point"]) for result in read for one in result["grid"]}
    plain = [point for point in sorted(twins) if "passive" not in point and twins[point] in twins]
    lines = [["service", *plain], ["---"] * (len(plain) + 1)]
    for result in read:
        rates = {one["point"]: one["rps"] for one in result["grid"]}
        lines.append([result["case"], *(_over(rates.get(twins[point]), rates.get(point)) for point in plain)])
    return (
        "Requests per second with `OMP_WAIT_POLICY=PASSIVE` over those without, by workers x threads (each point of "
        "the grid once, so that a tenth means nothing; hung: neither answered):\n\n" + _table(lines)
    )


def _twin(point: str) -> str:
    """The same point with the policy."""
    return point.replace(" preload", " passive preload") if " preload" in point else f"{point} passive"


def _over(one: float | None, other: float | None) -> str:
    if not one and not other:
        return "hung"
    return f"{one / other:.2f}" if one and other else "only with it" if one else "only without"


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
