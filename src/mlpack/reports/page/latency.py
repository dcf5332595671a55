"""How long right answers took under load: a histogram on a logarithmic axis with its percentiles, and the numbers."""

from __future__ import annotations

from markupsafe import Markup

from mlpack.report import LoadResult
from mlpack.reports.page.element import el, rows_table
from mlpack.reports.page.scale import Scale, log_ticks
from mlpack.units import show_duration

WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 14, 14, 50, 26
ROW = 14
"""Between the words of two percentiles, which may be at one place."""


def load_section(load: LoadResult) -> Markup:
    """The load: chart, numbers, and what went wrong by kind."""
    said = (
        f"{load.requests} requests, {load.concurrency} at once, in {show_duration(load.duration_s)}: each sent as soon "
        "as one before it was answered."
    )
    errors = sorted(load.error_kinds.items(), key=lambda item: (-item[1], item[0]))
    kinds = rows_table([("what went wrong", "how often"), *((kind, str(count)) for kind, count in errors)])
    return el(
        "section",
        el("h2", "Load"),
        el("p", said, class_="said"),
        el("div", _figure(load) if load.latencies else None, _numbers(load), class_="charts"),
        kinds if errors else None,
    )


def _numbers(load: LoadResult) -> Markup:
    share = f" ({load.errors / load.requests:.1%})" if load.errors else ""
    rows: list[tuple[str, str]] = [
        ("answered right", f"{load.requests_per_s:.3g} requests/s"),
        ("errors", f"{load.errors} of {load.requests}{share}"),
    ]
    if load.errors < load.requests:
        times = (("half", load.p50_s), ("95 of 100", load.p95_s), ("99 of 100", load.p99_s), ("all", load.max_s))
        rows += [(f"{name} within", show_duration(seconds)) for name, seconds in times]
    return el("div", rows_table([("load", ""), *rows], class_="pairs"))


def _figure(load: LoadResult) -> Markup:
    first, last = load.latencies[0], load.latencies[-1]
    x = Scale(first.from_s, last.to_s, LEFT, WIDTH - RIGHT, log=True)
    most = max(one.count for one in load.latencies)
    ground = HEIGHT - BOTTOM
    y = Scale(0, most, ground, TOP)
    parts: list[Markup] = []
    for one in load.latencies:
        from_x, to_x = x(one.from_s), x(one.to_s)
        said = f"{one.count} answers in {show_duration(one.from_s)} to {show_duration(one.to_s)}"
        wide = max(1.0, to_x - from_x - 1)
        parts.append(
            el(
                "rect",
                el("title", said),
                x=from_x,
                y=y(one.count),
                width=wide,
                height=ground - y(one.count),
                class_="bar",
            )
        )
    parts.append(el("path", d=f"M{LEFT} {ground}H{WIDTH - RIGHT}", class_="axis"))
    for value, words in log_ticks(first.from_s, last.to_s):
        parts.append(el("path", d=f"M{x(value):.1f} {ground}v4", class_="axis"))
        parts.append(el("text", words, x=x(value), y=HEIGHT - 8, text_anchor="middle"))
    for row, (name, seconds) in enumerate((("p50", load.p50_s), ("p95", load.p95_s), ("p99", load.p99_s))):
        at = min(max(x(seconds), LEFT), WIDTH - RIGHT)
        parts.append(el("path", d=f"M{at:.1f} {ROW * (row + 1) - 8}V{ground}", class_="mark"))
        left = at > WIDTH * 0.7
        words = f"{name} {show_duration(seconds)}"
        place = {"x": at - 5 if left else at + 5, "y": ROW * (row + 1) - 1, "text_anchor": "end" if left else "start"}
        parts.append(el("text", words, class_="strong", **place))
    name = f"Latencies: half within {show_duration(load.p50_s)}, 95 of 100 within {show_duration(load.p95_s)}"
    drawn = el("svg", parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=name)
    caption = el(
        "figcaption", el("b", "Latency"), f" of {load.requests - load.errors} right answers, on a logarithmic axis"
    )
    return el("figure", caption, drawn)
