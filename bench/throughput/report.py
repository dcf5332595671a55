"""The table of a case: every finalist against the best of them, round by round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

GOAL = 0.95
"""Of the best point's requests per second."""


def rows(measured: Mapping[str, Any], points: Mapping[str, str], choice: str) -> list[dict[str, Any]]:
    """One row a finalist, ``choice`` first.

    Each round's rates are divided by the choice's rate in the same round, so that a machine that slows down between
    rounds moves none; the median over the rounds is a finalist's ratio. ``of_best`` divides by the highest ratio.
    """
    base = measured[choice]["rates"]
    ratios = {name: _ratio(one["rates"], base) for name, one in measured.items()}
    best = max(ratios.values())
    return [
        {
            "name": name,
            "point": points.get(name, "as rendered"),
            "rps": round(statistics.median(one["rates"]), 2) if one["rates"] else 0.0,
            "of_best": round(ratios[name] / best, 3) if best else 0.0,
            "choice_is_times": round(1 / ratios[name], 2) if ratios[name] else None,
            "p95_ms": None if one["p95_s"] is None else round(1000 * one["p95_s"]),
            "memory_mib": round(one["pss_bytes"] / 2**20) if "pss_bytes" in one else None,
            "errors": one["errors"],
            "failed": one.get("failed"),
            "rates": [round(rate, 2) for rate in one["rates"]],
        }
        for name, one in measured.items()
    ]


def _ratio(rates: list[float], base: list[float]) -> float:
    pairs = [rate / other for rate, other in zip(rates, base, strict=False) if other]
    return statistics.median(pairs) if pairs else 0.0


def show(result: Mapping[str, Any]) -> None:
    """Print the table of one case."""
    limit = f"{result['cores']} cores and {result['limit_bytes'] / 2**20:.0f} MiB"
    policy = "reads OMP_WAIT_POLICY" if result["openmp_policy_read"] else "has no OpenMP that reads OMP_WAIT_POLICY"
    print(f"\n{result['case']}: {', '.join(result['runtimes'])} under {result['server']}, {limit}; {policy}")
    planned = f"{result['choice']} in {result['choice_limit_bytes'] / 2**20:.0f} MiB"
    print(f"  mlpack: {planned}; preload: {result['preload']}")
    print(f"  {'':35} {'workers x threads':22} {'req/s':>8} {'of best':>8} {'p95 ms':>7} {'MiB':>6}")
    for row in result["rows"]:
        words = f"{row['rps']:8.1f} {row['of_best']:8.3f} {row['p95_ms'] or 0:7} {row['memory_mib'] or 0:6}"
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
        shares = [f"{found[name]['of_best']:.2f}" if not found[name]["failed"] else "hung or died" for name in names]
        shown = best["point"] if best["point"] != "as rendered" else "the plan itself"
        lines.append([result["case"], result["choice"], f"{result['rows'][0]['rps']:.1f}", shown, *shares])
    return "Share of the best point's requests per second:\n\n" + _table(lines)


def _policy(results: Sequence[Mapping[str, Any]]) -> str:
    """What OMP_WAIT_POLICY=PASSIVE did, by workers and threads: the rate with it over the rate without."""
    points = sorted({p["point"] for r in results for p in r["grid"] if "passive" not in p["point"]})
    plain = [point for point in points if "preload" not in point]
    read = [result for result in results if result["openmp_policy_read"]]
    lines = [["service", *plain], ["---"] * (len(plain) + 1)]
    for result in read:
        rates = {p["point"]: p["rps"] for p in result["grid"]}
        cells = [_over(rates.get(f"{point} passive"), rates.get(point)) for point in plain]
        lines.append([result["case"], *cells])
    return "Requests per second with `OMP_WAIT_POLICY=PASSIVE` over those without (each point once):\n\n" + _table(
        lines
    )


def _over(one: float | None, other: float | None) -> str:
    return f"{one / other:.2f}" if one and other else ""


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
