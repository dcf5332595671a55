"""The table of all rows, for the terminal and for docs/memory.md; says which targets are missed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.footprint.plot import svg

from mlpack.units import MIB

MEASURED = (1.02, 1.15)
STATIC_MOST, UNBOUNDED_MOST = 1.5, 2.0
BEGIN, END = "<!-- bench/footprint writes from here -->", "<!-- to here -->"
NAMES = ("measured", "static", "file", "weights_x_1.2", "unlimited_peak")


def missed(row: dict[str, Any]) -> list[str]:
    """What a row misses of the targets, in words."""
    found, static = [], row["ratios"]["static"]
    each = [limit / row["boundary"] for limit in row["measured_each"]]
    # The boundary lies between the highest limit that failed and the lowest that passed.
    narrow = row["boundary"] / row["failed_below"]
    if each and min(each) < 1:
        found.append(f"measured is under: {min(each):.3f}")
    elif each and min(each) * narrow < MEASURED[0]:
        found.append(f"measured has less than 2 % to spare: {min(each):.3f}")
    if each and max(each) > MEASURED[1]:
        found.append(f"measured {max(each):.3f} > {MEASURED[1]}")
    most = UNBOUNDED_MOST if row["unbounded"] else STATIC_MOST
    if static < 1:
        found.append(f"static is under: {static}")
    elif static > most:
        found.append(f"static {static} > {most}")
    return found


def spread(row: dict[str, Any]) -> str:
    """The least and the most of several measurements over the boundary, once where they agree; empty for one."""
    each = sorted(limit / row["boundary"] for limit in row["measured_each"])
    least, most = (f"{ratio:.2f}" for ratio in (each[0], each[-1])) if len(each) > 1 else ("", "")
    return least if least == most else f"{least}-{most}"


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table of docs/memory.md: MiB, and each limit over the boundary."""
    lines = [
        "| service | how | boundary | measured | by headers | file x workers | weights x 1.2 x workers | free peak |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in (row for fitted in (True, False) for row in rows if row["fitted"] is fitted):
        cells = []
        for name in NAMES:
            size, ratio = row["limits"][name], row["ratios"][name]
            between = spread(row) if name == "measured" else ""
            cells.append("-" if size is None else f"{size / MIB:.0f} ({between or f'{ratio:.2f}'})")
        name = row["row"] + ("" if row["fitted"] else " *")
        truth = f"{row['failed_below'] / MIB:.0f}-{row['boundary'] / MIB:.0f}"
        lines.append(f"| {name} | {row['how']} | {truth} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_docs(rows: Sequence[dict[str, Any]], docs: Path) -> None:
    """Put table and picture into ``docs``: the table between its two marks in memory.md."""
    (docs / "footprint.svg").write_text(svg(rows))
    page = docs / "memory.md"
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        page.write_text(f"{before}{begin}\n{markdown(rows)}\n{end}{after}")


def show(rows: Sequence[dict[str, Any]]) -> int:
    """Print the table; the number of rows that miss a target."""
    print(f"\n{'row':24} {'boundary':>9} " + " ".join(f"{name:>14}" for name in NAMES) + "  MiB, and x boundary")
    count = 0
    for fitted in (True, False):
        print("fitted:" if fitted else "held out:")
        for row in (row for row in rows if row["fitted"] is fitted):
            cells = [_cell(row, name) for name in NAMES]
            bad = ([spread(row)] if spread(row) else []) + missed(row)
            count += bool(missed(row))
            print(f"{row['row']:24} {row['boundary'] / MIB:9.0f} " + " ".join(cells) + "  " + "; ".join(bad))
    return count


def _cell(row: dict[str, Any], name: str) -> str:
    size = row["limits"][name]
    return f"{'-':>14}" if size is None else f"{size / MIB:6.0f} ({row['ratios'][name]:.2f})".rjust(14)
