"""YAML with line numbers, read as Compose reads it: merge keys, aliases, variables. Never expands an alias bomb."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import yaml

from mlpack.audit.place import Place, Said
from mlpack.errors import SpecError

MAX_BYTES = 1024**2
MAX_DEPTH = 60
MAX_NODES = 50_000
MERGES = 10
"""Merge keys within merge keys that are followed."""
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-?+])(?P<rest>[^{}]*))?\})"
)


class View:
    """One node. Methods answer None (or nothing) where it is of another kind: a wrong kind is Compose's to say."""

    def __init__(self, node: yaml.Node, file: str, variables: Mapping[str, str]) -> None:
        self._node = node
        self._file = file
        self._variables = variables

    @property
    def place(self) -> Place:
        """The line that the node starts on."""
        return Place(self._file, self._node.start_mark.line + 1)

    def text(self) -> str | None:
        """A scalar's text with its variables filled in; None for no scalar, for null, and for what nobody can know."""
        if not isinstance(self._node, yaml.ScalarNode) or self._node.tag == "tag:yaml.org,2002:null":
            return None
        return interpolate(str(self._node.value), self._variables)

    def raw(self) -> str:
        """A scalar's text as it is written; empty for no scalar."""
        return str(self._node.value) if isinstance(self._node, yaml.ScalarNode) else ""

    def said(self) -> Said | None:
        """``text`` with its place."""
        text = self.text()
        return None if text is None else Said(text, self.place)

    def items(self) -> dict[str, tuple[Place, View]]:
        """A mapping's keys, each with the line of the key; merge keys are followed, own keys win."""
        return dict(self._pairs(MERGES))

    def _pairs(self, merges: int) -> Iterator[tuple[str, tuple[Place, View]]]:
        if not isinstance(self._node, yaml.MappingNode):
            return
        own: list[tuple[str, tuple[Place, View]]] = []
        for key, value in self._node.value:
            view = View(value, self._file, self._variables)
            if key.tag == "tag:yaml.org,2002:merge":
                if merges:
                    for merged in view.rows() or [view]:
                        yield from merged._pairs(merges - 1)
            elif isinstance(key, yaml.ScalarNode):
                own.append((str(key.value), (Place(self._file, key.start_mark.line + 1), view)))
        yield from own

    def rows(self) -> list[View]:
        """A sequence's items."""
        if not isinstance(self._node, yaml.SequenceNode):
            return []
        return [View(item, self._file, self._variables) for item in self._node.value]

    def at(self, *path: str) -> View | None:
        """The node below ``path`` of keys."""
        here: View | None = self
        for key in path:
            found = here.items().get(key) if here is not None else None
            here = found[1] if found else None
        return here

    def said_at(self, *path: str) -> Said | None:
        """The scalar below ``path``."""
        found = self.at(*path)
        return found.said() if found is not None else None


def read_nodes(raw: bytes, file: str, variables: Mapping[str, str]) -> View:
    """The document in ``raw``. Raises SpecError with file and line: not text, not YAML, too large, nested too deep."""
    if len(raw) > MAX_BYTES:
        raise SpecError(f"the file is larger than {MAX_BYTES // 1024} KiB", where=file, hint="is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError("the file is not UTF-8 text", where=file, hint="save it as UTF-8") from error
    try:
        _bounded(text, file)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or str(error).splitlines()[0]
        where = f"{file}:{mark.line + 1}" if mark else file
        raise SpecError(f"not YAML: {said}", where=where, hint="look at this line and the one before") from error
    if root is None:
        raise SpecError("the file is empty", where=file)
    return View(root, file, variables)


def _bounded(text: str, file: str) -> None:
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise SpecError("nested too deep or too large for a compose file", where=f"{file}:{line}")


def interpolate(text: str, variables: Mapping[str, str]) -> str | None:
    """``text`` with Compose's variables filled in; None where one has neither value nor default.

    Source: Compose file reference, "Interpolation".
    """
    unknown = False

    def value(match: re.Match[str]) -> str:
        nonlocal unknown
        if match["escaped"]:
            return "$"
        name, how, rest = match["plain"] or match["name"], match["how"] or "", match["rest"] or ""
        known = variables.get(name)
        is_set = known is not None and (known != "" or not how.startswith(":"))
        if how.endswith("+"):
            return rest if is_set else ""
        if is_set and known is not None:
            return known
        if how.endswith("-"):
            return rest
        unknown = True
        return ""

    filled = _VARIABLE.sub(value, text)
    return None if unknown else filled
