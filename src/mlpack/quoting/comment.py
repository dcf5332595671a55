"""Comments of every file that is rendered: one line, whatever the text holds."""

from __future__ import annotations

from mlpack.quoting.quoted import LINE_BREAKS, Quoted

DIALECT = "comment"


def comment(value: object) -> Quoted:
    """``value`` on one line: line breaks become blanks, unprintable characters their escapes."""
    if not isinstance(value, str | int):
        raise TypeError(f"{type(value).__name__} {value!r} is not text")
    text = "".join(" " if char in LINE_BREAKS or char == "\t" else char for char in str(value))
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return Quoted(safe.strip().rstrip("\\"), DIALECT)  # a backslash would continue a Dockerfile's line
