"""The table of all rows for the terminal; says which targets are missed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlpack.units import MIB

MEASURED = (1.02, 1.15)
STATIC_MOST, UNBOUNDED_MOST = 1.5, 2.0
NAMES = ("measured", "static", "file", "weights_x_1.2", "unlimited_peak")


def missed(row: dict[str, Any]) -> list[str]:
    """What a row misses of the targets, in words."""
    found, ratios = [], row["ratios"]
    # The boundary lies between the highest limit that failed and the lowest that passed.
    narrow = row["boundary"] / row["failed_below"]
    if ratios["measured"] is not None and ratios["measured"] < 1:
        found.append(f"measured is under: {ratios['measured']}")
    elif ratios["measured"] is not None and not MEASURED[0] <= ratios["measured"] * narrow:
        found.append(f"measured has less than 2 % to spare: {ratios['measured']}")
    elif ratios["measured"] is not None and ratios["measured"] > MEASURED[1]:
        found.append(f"measured {ratios['measured']} > {MEASURED[1]}")
    most = UNBOUNDED_MOST if row["unbounded"] else STATIC_MOST
    if ratios["static"] < 1:
        found.append(f"static is under: {ratios['static']}")
    elif ratios["static"] > most:
        found.append(f"static {ratios['static']} > {most}")
    return found


def show(rows: Sequence[dict[str, Any]], *, write: bool) -> int:
    """Print the table; the number of rows that miss a target."""
    print(f"\n{'row':24} {'boundary':>9} " + " ".join(f"{name:>14}" for name in NAMES) + "  MiB, and x boundary")
    count = 0
    for fitted in (True, False):
        print("fitted:" if fitted else "held out:")
        for row in (row for row in rows if row["fitted"] is fitted):
            cells = [_cell(row, name) for name in NAMES]
            bad = missed(row)
            count += bool(bad)
            print(f"{row['row']:24} {row['boundary'] / MIB:9.0f} " + " ".join(cells) + "  " + "; ".join(bad))
    return count


def _cell(row: dict[str, Any], name: str) -> str:
    size = row["limits"][name]
    return f"{'-':>14}" if size is None else f"{size / MIB:6.0f} ({row['ratios'][name]:.2f})".rjust(14)
