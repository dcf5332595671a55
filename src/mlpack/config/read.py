"""YAML bytes to a Tree with lines. Refuses what would be read differently from how it looks, and what never ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import yaml

from mlpack.config.scalar import Twisted, plain_value
from mlpack.config.tree import Branch, Leaf, Mark, Origin, Row, Tree
from mlpack.errors import SpecError

MAX_BYTES = 1024**2
MAX_DEPTH = 40
"""The deepest path of a spec is a request's expected JSON; nobody nests 40 levels by hand."""
MAX_NODES = 20_000
"""Nodes with aliases counted each time: the five largest specs known have under 300. Bounds "billion laughs"."""
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it


def read_yaml(raw: bytes, locate: Callable[[int], str], origin: Origin) -> Tree:
    """The one document in ``raw``; ``locate`` names a line (1-based) in messages. Raises SpecError."""
    text = _decode(raw, locate)
    builder = _Builder(locate, origin)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.feed(event)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, locate) from error
    if builder.root is None:
        raise SpecError(
            "the file is empty", where=locate(1), hint="run `mlpack init`, or write at least name and services"
        )
    return builder.root


def _decode(raw: bytes, locate: Callable[[int], str]) -> str:
    if len(raw) > MAX_BYTES:
        raise SpecError(
            f"the file is larger than {MAX_BYTES // 1024} KiB", where=locate(1), hint="is it the right file?"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError("the file is not UTF-8 text", where=locate(line), hint="save it as UTF-8") from error
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        line = text.count("\n", 0, odd.start()) + 1
        raise SpecError(f"a control character, {odd.group()!r}, is in the file", where=locate(line), hint="remove it")
    return text


def _syntax_error(error: yaml.YAMLError, text: str, locate: Callable[[int], str]) -> SpecError:
    """PyYAML's complaint in our form; a tab, its most common cause, is named."""
    mark = getattr(error, "problem_mark", None)
    lines = text.splitlines()
    number = min(mark.line + 1 if mark else 1, max(len(lines), 1))
    line = lines[number - 1] if lines else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return SpecError("a tab indents this line", where=locate(number), hint="YAML is indented with spaces only")
    said = " ".join(str(part) for part in (getattr(error, "problem", None), getattr(error, "context", None)) if part)
    return SpecError(
        f"not YAML: {said or 'cannot be read'}",
        where=locate(number),
        hint="look at indentation, colons, brackets and quotes here and on the line before",
    )


class _Frame:
    """A mapping or sequence that is still being read."""

    def __init__(self, is_map: bool, mark: Mark, anchor: str | None) -> None:
        self.is_map = is_map
        self.mark = mark
        self.anchor = anchor
        self.keys: list[tuple[str, Mark]] = []
        self.values: list[Tree] = []

    @property
    def wants_key(self) -> bool:
        return self.is_map and len(self.keys) == len(self.values)


class _Builder:
    """Turns parse events into a Tree with an explicit stack, so that no depth of nesting can exhaust Python's."""

    def __init__(self, locate: Callable[[int], str], origin: Origin) -> None:
        self.root: Tree | None = None
        self._locate = locate
        self._origin: Origin = origin
        self._stack: list[_Frame] = []
        self._anchors: dict[str, Tree | None] = {}
        self._documents = 0

    def feed(self, event: yaml.Event) -> None:
        """Take the next event. Raises SpecError."""
        line = event.start_mark.line + 1 if event.start_mark else 1
        mark = Mark(self._locate(line), self._origin)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise SpecError("a second document starts here", where=mark.where, hint="remove the line `---`")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise SpecError(
                f"the tag {tag} is not used here", where=mark.where, hint="write plain values, text in quotes"
            )
        if isinstance(event, yaml.ScalarEvent):
            leaf = Leaf(event.value, bool(event.style), mark)
            self._add(leaf, event.anchor)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(isinstance(event, yaml.MappingStartEvent), mark, event.anchor)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            frame = self._stack.pop()
            self._add(self._branch(frame) if frame.is_map else self._row(frame), frame.anchor)
        elif isinstance(event, yaml.AliasEvent):
            target = self._anchors.get(event.anchor or "")
            if target is None:
                raise SpecError(
                    f"*{event.anchor} names nothing above it", where=mark.where, hint=f"define &{event.anchor} first"
                )
            self._add(target, None)

    def _open(self, is_map: bool, mark: Mark, anchor: str | None) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise SpecError(f"nested more than {MAX_DEPTH} levels deep", where=mark.where)
        if self._stack and self._stack[-1].wants_key:
            raise SpecError("a key is a list or a mapping", where=mark.where, hint="keys are plain names")
        if anchor is not None:
            self._anchors[anchor] = None  # not usable inside itself
        self._stack.append(_Frame(is_map, mark, anchor))

    def _add(self, tree: Tree, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = tree
        if tree.size > MAX_NODES:
            raise SpecError(
                f"more than {MAX_NODES} values", where=tree.mark.where, hint="aliases count each time they are used"
            )
        if not self._stack:
            self.root = tree
        elif self._stack[-1].wants_key:
            self._stack[-1].keys.append(_key(tree))
        else:
            self._stack[-1].values.append(tree)

    def _row(self, frame: _Frame) -> Row:
        return Row(tuple(frame.values), frame.mark, 1 + sum(tree.size for tree in frame.values))

    def _branch(self, frame: _Frame) -> Branch:
        items: dict[str, Tree] = {}
        lines: dict[str, str] = {}
        for (key, mark), value in zip(frame.keys, frame.values, strict=True):
            if key in items:
                raise SpecError(
                    f"`{key}` is written twice", where=mark.where, hint=f"it is first at {lines[key]}; keep one"
                )
            items[key] = replace(value, mark=mark)  # messages point at the key, its value may be lines below
            lines[key] = mark.where
        items = _merged(items)
        return Branch(items, frame.mark, 1 + sum(tree.size for tree in items.values()))


def _key(tree: Tree) -> tuple[str, Mark]:
    """A mapping key as text. Raises SpecError for keys that other YAML readers would not take as text."""
    if not isinstance(tree, Leaf):
        raise SpecError("a key is a list or a mapping", where=tree.mark.where, hint="keys are plain names")
    value = tree.text if tree.quoted else plain_value(tree.text)
    if isinstance(value, Twisted | bool | float | None):
        raise SpecError(
            f"the key `{tree.text}` is not text to YAML", where=tree.mark.where, hint=f'write "{tree.text}":'
        )
    return tree.text, tree.mark


def _merged(items: dict[str, Tree]) -> dict[str, Tree]:
    """``items`` with YAML's merge key ``<<`` applied: a mapping's own keys win over merged ones, earlier over later."""
    source = items.get("<<")
    if source is None:
        return items
    rows = source.items if isinstance(source, Row) else (source,)
    own = {key: value for key, value in items.items() if key != "<<"}
    for row in rows:
        if not isinstance(row, Branch):
            raise SpecError("`<<` merges mappings only", where=source.mark.where, hint="write <<: *anchor")
        own = {**row.items, **own}
    return own
