"""Dockerfile: words (ENV, LABEL, WORKDIR), exec form (CMD), and COPY, whose exec form expands and globs as well."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlpack.quoting.quoted import Quoted, one_line, text_of

DIALECT = "dockerfile"


def docker_word(value: object) -> Quoted:
    """``value`` as one double-quoted word: `\\`, `"` and `$` escaped, so that nothing is expanded."""
    text = one_line(value, "a Dockerfile")
    for special in ("\\", '"', "$"):
        text = text.replace(special, "\\" + special)
    return Quoted(f'"{text}"', DIALECT)


def docker_argv(words: Sequence[str]) -> Quoted:
    """``words`` in exec form, a JSON array. CMD expands nothing; line breaks are escaped by JSON."""
    return Quoted(_json([text_of(word, "a Dockerfile") for word in words]), DIALECT)


def docker_copy(paths: Sequence[str]) -> Quoted:
    """``paths`` of one COPY in JSON form, the destination last, every name taken as it stands (no pattern)."""
    *sources, destination = paths
    return Quoted(_json([*(_expanded(_globbed(source)) for source in sources), _expanded(destination)]), DIALECT)


def docker_copy_patterns(paths: Sequence[str]) -> Quoted:
    """As ``docker_copy``, but `*` in sources stays a pattern (those that match nothing are left out by BuildKit)."""
    *sources, destination = paths
    kept = [
        "*".join(_classed(part) for part in source.split("*")) if "*" in source else _globbed(source)
        for source in sources
    ]
    return Quoted(_json([*(_expanded(source) for source in kept), _expanded(destination)]), DIALECT)


def _json(words: list[str]) -> str:
    return json.dumps(words, ensure_ascii=False)


def _expanded(path: str) -> str:
    """Escapes what the word expansion of COPY would act on."""
    text = one_line(path, "a Dockerfile")
    return "".join("\\" + char if char in "\\\"'$" else char for char in text)


def _globbed(path: str) -> str:
    """``path`` as a source that matches only it.

    BuildKit takes a source without `*`, `?`, `[` as it stands, backslashes included, and one with them as a pattern
    (Go's filepath.Match), where a class is the only escape that it also sees as a pattern.
    """
    return _classed(path) if any(char in "*?[" for char in path) else path


def _classed(path: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else "\\\\" if char == "\\" else char for char in path)
