"""systemd unit files: three dialects. Words of a command, an assignment of Environment=, and bare paths.

Everywhere `%` starts a specifier and is doubled. Commands begin with `:`, after which systemd expands no `$`
(systemd.service(5)). What a unit file cannot hold is refused: systemd would drop the line with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlpack.errors import SpecError
from mlpack.quoting.quoted import Quoted, one_line, text_of

DIALECT = "systemd"
_PLAIN = re.compile(r"[A-Za-z0-9_@./:+,=-]+")
_TOKEN = re.compile(r"[A-Za-z0-9_@./:+,~ -]*|[0-9]+%")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def unit_exec(words: Sequence[object]) -> Quoted:
    """``words`` as the value of ExecStart= and its like, taken as they stand.

    Raises SpecError for a program's path with quotes or backslashes, which systemd refuses however it is spelled.
    """
    program, *arguments = (text_of(word, "a unit file") for word in words)
    if not program or any(char in "\"'\\" or not char.isprintable() for char in program):
        hint = "use a path of plain characters (root, host.python)"
        raise SpecError(f"{program!r} cannot be a unit's program: systemd takes no such path", hint=hint)
    first = f":{_percent(program)}"
    spelled = [f'"{first}"' if any(char.isspace() for char in program) else _checked(first)]
    return Quoted(" ".join([*spelled, *(_word(argument) for argument in arguments)]), DIALECT)


def unit_env(pair: tuple[str, object]) -> Quoted:
    """``(name, value)`` as the value of Environment=. Raises SpecError for a name that is none."""
    name, value = pair
    if not _NAME.fullmatch(name):
        raise SpecError(f"{name!r} is not the name of an environment variable", hint="letters, digits and _ only")
    return Quoted(_word(f"{name}={text_of(value, 'a unit file')}"), DIALECT)


def unit_path(value: object) -> Quoted:
    """``value`` as a path that stands alone (WorkingDirectory=, EnvironmentFile=), where quotes would be part of it.

    Raises SpecError where systemd would read another path: blanks at the ends, a backslash there, line breaks.
    """
    path = one_line(value, "a unit file")
    if path != path.strip() or path.endswith("\\") or not path.startswith("/"):
        raise SpecError(f"{path!r} cannot stand in a unit file", hint="an absolute path without blanks at its ends")
    return Quoted(_percent(_checked(path)), DIALECT)


def unit_paths(values: Sequence[object]) -> Quoted:
    """``values`` as a list of paths (ReadWritePaths=), each in quotes where it has blanks; nothing is unescaped there.

    Raises SpecError for quotes and backslashes, which such a list cannot hold.
    """
    spelled = []
    for value in values:
        path = unit_path(value)
        if any(char in "\"'\\" for char in path):
            raise SpecError(f"{path!r} has a quote or backslash, which a list of paths in a unit file cannot hold")
        spelled.append(f'"{path}"' if any(char.isspace() for char in path) else str(path))
    return Quoted(" ".join(spelled), DIALECT)


def unit_text(value: object) -> Quoted:
    """``value`` as free text (Description=): line breaks are blanks, a backslash at the end would continue the line."""
    text = " ".join(text_of(value, "a unit file").split())
    return Quoted(_percent(_checked("".join(char for char in text if char.isprintable()))).rstrip("\\"), DIALECT)


def unit_word(value: object) -> Quoted:
    """``value`` of mlpack's own making: names, numbers with units, lists of them. Raises TypeError for others."""
    text = text_of(value, "a unit file")
    if not _TOKEN.fullmatch(text):
        raise TypeError(f"{text!r} is no plain word: it needs a dialect of its own")
    return Quoted(text, DIALECT)


def _word(text: str) -> str:
    """One word of a command or of Environment=, in double quotes where anything in it is special."""
    if _PLAIN.fullmatch(text):
        return text
    return '"' + _percent("".join(_escaped(char) for char in _checked(text))) + '"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    return f"\\x{ord(char):02x}" if ord(char) < 0x20 or ord(char) == 0x7F else char


def _checked(text: str) -> str:
    """``text`` without what systemd takes for broken UTF-8 (src/basic/utf8.c): it would drop the whole line."""
    for char in text:
        code = ord(char)
        if 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            raise SpecError(f"{text!r} holds U+{code:04X}, which is no character: a unit file cannot hold it")
    return text
