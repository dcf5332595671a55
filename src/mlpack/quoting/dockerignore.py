""".dockerignore: one pattern a line; a path has to stand for itself."""

from __future__ import annotations

from mlpack.quoting.quoted import Quoted, one_line

DIALECT = "dockerignore"


def dockerignore(path: object) -> Quoted:
    """``path`` as a pattern that matches only it. A blank at either end would be trimmed, hence the class `[ ]`."""
    text = one_line(path, ".dockerignore")
    stripped = text.strip()
    middle = "".join("\\" + char if char in "\\*?[]" else char for char in stripped)
    if middle.startswith(("!", "#")):
        middle = "\\" + middle
    start = text.index(stripped) if stripped else len(text)
    blanks = text[:start], text[start + len(stripped) :]
    head, tail = ("".join(f"[{char}]" for char in part) for part in blanks)
    return Quoted(f"{head}{middle}{tail}", DIALECT)
