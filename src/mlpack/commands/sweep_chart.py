"""A sweep as a small SVG: memory as bars against the usable memory, throughput as a line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from mlpack.planner.sweep import Point
from mlpack.units import show_bytes

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 84, 70, 64, 58
FITS, MAY, NOT, USABLE, RATE, INK, GRID = "#4c8c6a", "#a9cdb9", "#c0504d", "#444444", "#2f6db5", "#333333", "#dddddd"
"""Colours that differ in lightness too, so that the chart can be read without them."""


def svg(points: Sequence[Point], name: str | None, *, title: str) -> str:
    """The chart's text: a bar a point (hatched where it does not fit), the usable memory as steps, requests/s."""
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    slot = wide / max(1, len(points))
    most = _round_up(max([1, *(max(p.memory_bytes or 0, p.usable_bytes or 0) for p in points)]))
    rates = [p.services[name].requests_per_s for p in points if name is not None and name in p.services]
    fastest = _round_up(max([0.001, *rates]))

    def x(index: int) -> float:
        return LEFT + slot * (index + 0.5)

    def y(share: float) -> float:
        return TOP + high * (1 - share)

    parts = [_text(LEFT, 22, title, size=15, weight="600"), *_legend(name)]
    for tick in range(5):
        share = tick / 4
        parts.append(f'<path d="M{LEFT} {y(share):.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
        parts.append(_text(LEFT - 8, y(share) + 4, show_bytes(round(most * share)), anchor="end"))
        if rates:
            parts.append(_text(WIDTH - RIGHT + 8, y(share) + 4, f"{fastest * share:.3g}", fill=RATE))
    every = -(-len(points) // 16)
    for index, point in enumerate(points):
        tall = high * (point.memory_bytes or 0) / most
        fill = FITS if point.surely else MAY if point.fits else "url(#not)"
        parts.append(
            f'<rect x="{x(index) - slot * 0.32:.1f}" y="{TOP + high - tall:.1f}" width="{slot * 0.64:.1f}" '
            f'height="{tall:.1f}" fill="{fill}"><title>{escape(_said(point, name))}</title></rect>'
        )
        if index % every == 0:
            parts.append(_text(x(index), TOP + high + 18, point.shown, anchor="middle"))
        if not point.fits and point.memory_bytes is None:
            parts.append(_text(x(index), TOP + high - 6, "refused", anchor="middle", fill=NOT))
    steps = [(x(i), y(p.usable_bytes / most)) for i, p in enumerate(points) if p.usable_bytes is not None]
    for at, level in steps:
        parts.append(f'<path d="M{at - slot / 2:.1f} {level:.1f}h{slot:.1f}" stroke="{USABLE}" stroke-width="2"/>')
    line = [
        (x(i), y(p.services[name].requests_per_s / fastest))
        for i, p in enumerate(points)
        if name is not None and name in p.services
    ]
    if line:
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{RATE}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{RATE}"/>' for a, b in line]
    hatch = (
        '<defs><pattern id="not" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="6" height="6" fill="#f3dcdb"/><path d="M0 0V6" stroke="{NOT}" stroke-width="4"/>'
        "</pattern></defs>"
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" role="img">'
    )
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", hatch, ground, *parts, "</svg>"]) + "\n"


def _legend(name: str | None) -> list[str]:
    entries = [("memory, fits", FITS), ("may fit", MAY), ("does not fit", NOT), ("usable memory", USABLE)]
    if name is not None:
        entries.append((f"{name}: requests/s at most", RATE))
    parts, at = [], float(LEFT)
    for label, colour in entries:
        fill = "url(#not)" if colour == NOT else colour
        parts.append(f'<rect x="{at:.1f}" y="36" width="12" height="12" fill="{fill}"/>')
        parts.append(_text(at + 17, 46.5, label))
        at += 36 + 6.8 * len(label)
    return parts


def _said(point: Point, name: str | None) -> str:
    if point.refused:
        return f"{point.shown}: {point.refused}"
    service = point.services.get(name or "")
    rate = f", {service.requests_per_s:.3g} requests/s at most" if service else ""
    return f"{point.shown}: {show_bytes(point.memory_bytes or 0)} of {show_bytes(point.usable_bytes or 0)}{rate}"


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 6, 8 x a power of two (bytes) or ten: axes end on a number that reads well."""
    base = 1.0
    grow = 2.0 if value >= 1024 else 10.0
    while base * grow <= value:
        base *= grow
    while base > value:
        base /= grow
    steps = (1, 1.25, 1.5, 1.75, 2) if grow == 2 else (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next(base * step for step in steps if base * step >= value)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "400", fill: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="{fill}">{escape(text)}</text>'
    )
