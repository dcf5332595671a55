"""Memory of one running copy over time, as stacked areas against its limit and what was predicted; and the numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from mlpack.report import MemorySample, ServiceMeasurement
from mlpack.reports.page.element import el, rows_table
from mlpack.reports.page.scale import Scale, byte_ticks, time_ticks
from mlpack.units import show_bytes, show_duration, show_mib

WIDTH, HEIGHT = 460, 240
LEFT, RIGHT, TOP, BOTTOM = 76, 10, 12, 26
ABOVE = 1.08
"""Air over the highest line."""
SEEN_SHARE = 0.004
"""Of the height: a thinner layer cannot be seen, and its word in the legend would puzzle."""
LAYERS: tuple[tuple[str, str, Callable[[MemorySample], int]], ...] = (
    ("kernel", "kernel", lambda sample: sample.kernel_bytes),
    ("shared", "shm", lambda sample: sample.shm_bytes),
    ("anonymous", "anon", lambda sample: sample.anonymous_bytes),
    ("mapped files", "mapped", lambda sample: sample.mapped_bytes),
)
"""Words, CSS class and value, from the ground up."""


def memory_section(services: Sequence[ServiceMeasurement]) -> Markup:
    """A chart a copy, then all of their numbers; those of a single copy stand beside its chart."""
    alone = len(services) == 1
    ordered = sorted(services, key=lambda one: one.instance or one.service)
    return el(
        "section",
        el("h2", "Memory"),
        el(
            "p",
            "What each copy cannot do without: anonymous, kernel, shared and mapped memory, over the time that it ran.",
            class_="said",
        ),
        el("div", [_figure(one) for one in ordered], _pairs(services[0]) if alone else None, class_="charts"),
        None if alone else _numbers(ordered),
    )


def _figure(one: ServiceMeasurement) -> Markup:
    share = one.peak_need_bytes / one.limit_bytes if one.limit_bytes else 0.0
    legend = [
        _key("limit", f"limit {show_mib(one.limit_bytes)}"),
        _key("predicted", f"predicted {show_mib(one.predicted_bytes)}"),
        *(_key(css, words) for words, css in _seen(one)),
        _key("load", "under load") if one.load_span_s else None,
    ]
    over = share > 1 or one.oom_kills > 0
    killed = f", {one.oom_kills} killed for memory" if one.oom_kills else None
    used = el("span", f"{share:.0%} of the limit", killed, class_="bad" if over else None)
    caption = el("figcaption", el("b", one.instance or one.service), f" peak {show_mib(one.peak_need_bytes)}, ", used)
    drawn = _chart(one) if one.samples else el("p", "its memory was not read over time", class_="said")
    return el("figure", caption, drawn, el("div", legend, class_="legend"))


def _seen(one: ServiceMeasurement) -> list[tuple[str, str]]:
    least = SEEN_SHARE * max(one.limit_bytes, one.peak_need_bytes)
    return [(words, css) for words, css, value in LAYERS if any(value(sample) > least for sample in one.samples)]


def _key(css: str, words: str) -> Markup:
    return el("span", el("i", class_=f"key {css}"), words)


def _chart(one: ServiceMeasurement) -> Markup:
    end_s = max(1.0, one.samples[-1].at_s)
    highest = max(one.limit_bytes, one.predicted_bytes, one.peak_need_bytes, 1) * ABOVE
    x = Scale(0.0, end_s, LEFT, WIDTH - RIGHT)
    y = Scale(0.0, highest, HEIGHT - BOTTOM, TOP)
    ground = HEIGHT - BOTTOM
    parts: list[Markup | None] = [_load(one, x)]
    for value, words in byte_ticks(highest):
        parts.append(el("path", d=f"M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}", class_="grid"))
        parts.append(el("text", words, x=LEFT - 8, y=y(value) + 4, text_anchor="end"))
    for value, words in time_ticks(end_s):
        anchor = "end" if x(value) > WIDTH - RIGHT - 14 else "middle"
        parts.append(el("path", d=f"M{x(value):.1f} {ground}v4", class_="axis"))
        parts.append(el("text", words, x=x(value), y=HEIGHT - 8, text_anchor=anchor))
    parts += _areas(one.samples, x, y)
    parts.append(el("path", d=f"M{LEFT} {ground}H{WIDTH - RIGHT}", class_="axis"))
    for css, value in (("predicted", one.predicted_bytes), ("limit", one.limit_bytes)):
        parts.append(el("path", d=f"M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}", class_=f"line {css}"))
    top = max(one.samples, key=lambda sample: sample.need_bytes)
    said = f"peak {show_mib(top.need_bytes)} after {show_duration(top.at_s)}"
    parts.append(el("circle", el("title", said), cx=x(top.at_s), cy=y(top.need_bytes), r=3.5, class_="peak"))
    whose = f"Memory of {one.instance or one.service} over {show_duration(end_s)}"
    name = f"{whose}: {said}, limit {show_mib(one.limit_bytes)}"
    return el("svg", parts, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=name)


def _load(one: ServiceMeasurement, x: Scale) -> Markup | None:
    if one.load_span_s is None:
        return None
    from_x, to_x = (min(WIDTH - RIGHT, x(at_s)) for at_s in one.load_span_s)
    wide = max(1.0, to_x - from_x)
    return el("rect", x=from_x, y=TOP, width=wide, height=HEIGHT - BOTTOM - TOP, class_="load")


def _areas(samples: Sequence[MemorySample], x: Scale, y: Scale) -> list[Markup]:
    """A band a layer, each on those below it."""
    below = [0] * len(samples)
    drawn = []
    for words, css, value in LAYERS:
        above = [under + value(sample) for under, sample in zip(below, samples, strict=True)]
        if above != below:
            path = [f"{x(sample.at_s):.1f} {y(level):.1f}" for sample, level in zip(samples, above, strict=True)]
            back = [f"{x(sample.at_s):.1f} {y(level):.1f}" for sample, level in zip(samples, below, strict=True)]
            most = max(map(value, samples))
            said = el("title", f"{words}, at most {show_mib(most)}")
            drawn.append(el("path", said, d="M" + "L".join([*path, *reversed(back)]) + "Z", class_=f"area {css}"))
        below = above
    return drawn


HEAD = ("copy", "peak need", "predicted", "ratio", "limit", "used", "anonymous", "mapped", "kernel", "noted")


def _numbers(services: Sequence[ServiceMeasurement]) -> Markup:
    return rows_table([HEAD, *map(_row, services)], class_="numbers")


def _pairs(one: ServiceMeasurement) -> Markup:
    pairs = [pair for pair in zip(HEAD, _row(one), strict=True) if pair[1]]
    return el("div", rows_table([("memory", ""), *pairs[1:]], class_="pairs"))


def _row(one: ServiceMeasurement) -> tuple[str, ...]:
    return (
        one.instance or one.service,
        show_mib(one.peak_need_bytes),
        show_mib(one.predicted_bytes),
        f"{one.peak_need_bytes / one.predicted_bytes:.2f}" if one.predicted_bytes else "-",
        show_mib(one.limit_bytes),
        f"{one.peak_need_bytes / one.limit_bytes:.0%}" if one.limit_bytes else "-",
        show_mib(one.peak_anonymous_bytes),
        show_mib(one.peak_mapped_bytes),
        show_mib(one.peak_kernel_bytes),
        _noted(one),
    )


def _noted(one: ServiceMeasurement) -> str:
    noted = (
        f"{one.oom_kills} killed for memory" if one.oom_kills else "",
        f"{show_bytes(one.refault_bytes)} read back from disk" if one.refault_bytes else "",
        f"waited {show_duration(one.throttled_s)} for its CPU quota" if one.throttled_s else "",
    )
    return ", ".join(filter(None, noted))
