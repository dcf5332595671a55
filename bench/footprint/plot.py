"""docs/footprint.svg: every row's predictions over its boundary, on a logarithmic scale. By hand, no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

LEFT, RIGHT, TOP, STEP, WIDTH = 190, 20, 74, 22, 820
LOW, HIGH = 0.1, 6.0
SHOWN = {
    "measured": ("#0072b2", "mlpack, measured"),
    "static": ("#56b4e9", "mlpack, by headers"),
    "file": ("#d55e00", "file size x workers"),
    "weights_x_1.2": ("#e69f00", "weights x 1.2 x workers"),
    "unlimited_peak": ("#999999", "peak of an unlimited container"),
}


def svg(rows: Sequence[dict[str, Any]]) -> str:
    """The picture: a line a row; held-out models below the fitted ones."""
    ordered = [row for fitted in (True, False) for row in rows if row["fitted"] is fitted]
    height = TOP + STEP * len(ordered) + 46
    bottom = TOP + STEP * len(ordered) + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" role="img">',
        "<title>Memory limits over the lowest limit under which the service runs without refaults</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<rect x="{_x(1.0):.1f}" y="{TOP - 8}" width="{_x(1.15) - _x(1.0):.1f}" height="{bottom - TOP + 8}" '
        'fill="#d9ead3"/>',
    ]
    for tick in (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 5.0):
        colour = "#333" if tick == 1.0 else "#ddd"
        parts.append(f'<line x1="{_x(tick):.1f}" x2="{_x(tick):.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="{colour}"/>')
        parts.append(f'<text x="{_x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{bottom + 34}" text-anchor="middle">limit over the refault-free boundary: '
        "left of 1 the service thrashes or is killed; green is 1 to 1.15</text>"
    )
    for index, (colour, name) in enumerate(SHOWN.values()):
        left, top = LEFT + 215 * (index % 3), 18 + 22 * (index // 3)
        parts.append(f'<circle cx="{left}" cy="{top - 4}" r="5" fill="{colour}"/>')
        parts.append(f'<text x="{left + 10}" y="{top}">{name}</text>')
    for index, row in enumerate(ordered):
        y = TOP + STEP * index + STEP / 2
        label = escape(row["row"]) + ("" if row["fitted"] else " *")
        parts.append(f'<text x="{LEFT - 10}" y="{y + 4:.0f}" text-anchor="end">{label}</text>')
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.0f}" y2="{y:.0f}" stroke="#eee"/>')
        for name, (colour, _) in reversed(SHOWN.items()):
            ratio = row["ratios"][name]
            if ratio is not None:
                parts.append(f'<circle cx="{_x(ratio):.1f}" cy="{y:.0f}" r="5" fill="{colour}"/>')
    parts.append(f'<text x="{LEFT - 10}" y="{bottom + 34}" text-anchor="end">* held out</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(ratio: float) -> float:
    clipped = min(HIGH, max(LOW, ratio))
    share = (math.log(clipped) - math.log(LOW)) / (math.log(HIGH) - math.log(LOW))
    return LEFT + share * (WIDTH - RIGHT - LEFT)
