"""An nginx configuration's directives with their blocks and lines: enough to ask who is proxied to."""

from __future__ import annotations

import re

from mlpack.audit.deployment import NginxFile
from mlpack.audit.place import Place

_TOKEN = re.compile(r"""#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{};]|\n|[^\s{};"'#]+|[ \t\r\f\v]+""")


def read_nginx(text: str, file: str) -> NginxFile:
    """Best effort: nginx itself says what is wrong with a file."""
    found: list[tuple[str, tuple[str, ...], str, Place]] = []
    blocks: list[str] = []
    words: list[str] = []
    line = start = 1
    for token in _TOKEN.findall(text):
        if token == ";":
            if words:
                found.append((words[0], tuple(words[1:]), " > ".join(blocks), Place(file, start)))
            words = []
        elif token == "{":
            if words:
                found.append((words[0], tuple(words[1:]), " > ".join(blocks), Place(file, start)))
            blocks.append(" ".join(words))
            words = []
        elif token == "}":
            blocks[-1:] = []
            words = []
        elif token.strip() and not token.startswith("#"):
            if not words:
                start = line
            words.append(token.strip("\"'"))
        line += token.count("\n")
    return NginxFile(file, tuple(found))
