"""Text of others (logs, names) made harmless: what a terminal, XML or a browser would obey is shown instead."""

from __future__ import annotations


def plain(line: str) -> str:
    """``line`` without trailing blanks; tabs as blanks, other control, format and lone surrogate characters escaped."""
    return _shown(line.expandtabs(4).rstrip())


def plain_text(text: str) -> str:
    """The same for many lines; line breaks and blanks stay."""
    return "\n".join(_shown(line.expandtabs(4)) for line in text.replace("\r\n", "\n").split("\n"))


def _shown(text: str) -> str:
    """Each character, or how Python would write it: ``\\x1b``, ``\\u202e``."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
