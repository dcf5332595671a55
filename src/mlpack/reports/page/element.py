"""HTML and SVG elements. Every text is escaped here, whoever wrote it: only an element is markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from markupsafe import Markup, escape

from mlpack.reports.plain import plain_text

Child = Markup | str | None
Children = Child | Iterable["Children"]
Value = str | float | bool | None


def el(name: str, *children: Children, **attributes: Value) -> Markup:
    """``<name attributes>children</name>``. ``class_`` is ``class``, ``stroke_width`` is ``stroke-width``; an attribute
    that is None or False is left out, True is its bare name."""
    inside = Markup("").join(_flat(children))
    return Markup("<{}{}>{}</{}>").format(name, _attributes(attributes), inside, name)


def text(value: Markup | str) -> Markup:
    """``value`` as it may stand between tags."""
    return value if isinstance(value, Markup) else escape(plain_text(value))


def _flat(children: Iterable[Children]) -> Iterator[Markup]:
    for child in children:
        if isinstance(child, str):
            yield text(child)
        elif child is not None:
            yield from _flat(child)


def _attributes(given: dict[str, Value]) -> Markup:
    parts = []
    for key, value in given.items():
        name = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(Markup(" {}").format(name))
        elif value is not None and value is not False:
            shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else plain_text(str(value))
            parts.append(Markup(' {}="{}"').format(name, shown))
    return Markup("").join(parts)


def rows_table(rows: Sequence[Sequence[Child]], *, class_: str | None = None) -> Markup:
    """A table; the first row is its heading. It scrolls sideways by itself where the page is narrower."""
    head, *body = rows
    heading = el("thead", el("tr", [el("th", cell, scope="col") for cell in head]))
    lines = [el("tr", el("th", row[0], scope="row"), [el("td", cell) for cell in row[1:]]) for row in body]
    return el("div", el("table", heading, el("tbody", lines), class_=class_), class_="wide")
