"""Changes one value of a YAML text and nothing else: comments, order and the writer's own form stay. Pure.

The text is edited at the places that the parser names, and read back: whatever else would have changed is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from mlpack.errors import MlpackError

Value = bool | int | float | str | Sequence[str]
STEP = "  "


def set_value(text: str, path: str, value: Value) -> str:
    """``text`` with ``value`` at the dotted ``path``; missing mappings on the way are made.

    Raises MlpackError where that place cannot be changed alone (an anchor, a short form, a merge), naming it.
    """
    keys = path.split(".")
    before = _read(text, path)
    changed = _edited(text, keys, value, path)
    wanted = _own(before)
    at = wanted
    for key in keys[:-1]:
        if at.get(key) is None:
            at[key] = {}
        at = at[key]
    at[keys[-1]] = list(value) if isinstance(value, list | tuple) else value
    if _read(changed, path) != wanted:
        raise _by_hand(path, "other values would change with it (an anchor, or a key that is merged in)")
    return changed


def get_value(text: str, path: str) -> Any:
    """What stands at ``path`` in ``text``; None where nothing does."""
    at: Any = _read(text, path)
    for key in path.split("."):
        if not isinstance(at, dict) or key not in at:
            return None
        at = at[key]
    return at


def written(value: Value) -> str:
    """``value`` in YAML, on one line; text is quoted wherever it would be read as anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if not isinstance(value, str):
        return f"[{', '.join(map(written, value))}]"
    plain = value.replace("/", "").replace(".", "").replace("-", "").replace("_", "")
    is_plain = plain.isascii() and plain.isalnum() and value[0].isalnum() | (value[0] == "/")
    if is_plain and yaml.safe_load(value) == value:
        return value
    return "".join(c if c.isprintable() else _escaped(c) for c in json.dumps(value, ensure_ascii=False))


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _own(value: Any) -> Any:
    """A copy that shares nothing inside: an anchor's value is in several places, and is to change in one."""
    if isinstance(value, dict):
        return {key: _own(below) for key, below in value.items()}
    return [_own(below) for below in value] if isinstance(value, list) else value


def _read(text: str, path: str) -> dict[str, Any]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _by_hand(path, "the file is no YAML") from error
    if not isinstance(value, dict):
        raise _by_hand(path, "the file holds no mapping")
    return value


def _edited(text: str, keys: list[str], value: Value, path: str) -> str:
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    pair: tuple[yaml.Node, yaml.Node] | None = None
    for depth, key in enumerate(keys):
        if not isinstance(node, yaml.MappingNode):
            raise _by_hand(path, f"{'.'.join(keys[:depth])} is written in a short form")
        pair = next(((k, v) for k, v in node.value if k.value == key), None)
        if pair is None:
            return _inserted(text, node, keys[depth:], value)
        found = pair[1]
        if _is_empty(found) and depth < len(keys) - 1:
            below = _block(keys[depth + 1 :], value, (pair[0].start_mark.column // len(STEP) + 1) * STEP)
            at = pair[0].end_mark.index + text[pair[0].end_mark.index :].index(":") + 1
            return text[:at] + "\n" + below + text[at:]
        node = found
    assert pair is not None
    return _replaced(text, *pair, value)


def _replaced(text: str, key: yaml.Node, node: yaml.Node, value: Value) -> str:
    if _is_empty(node):
        at = key.end_mark.index + text[key.end_mark.index :].index(":") + 1
        return f"{text[:at]} {written(value)}{text[at:]}"
    start, end = node.start_mark.index, _end(text, node)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and not isinstance(value, bool | int | float | str):
        has = [child.value for child in node.value]
        if list(value[: len(has)]) == has:  # only more of them: those that are there keep their comments
            line_end = _line_end(text, end)
            indent = " " * node.start_mark.column
            more = "".join(f"\n{indent}- {written(item)}" for item in value[len(has) :])
            return text[:line_end] + more + text[line_end:]
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        start = key.end_mark.index + text[key.end_mark.index :].index(":") + 1
        return f"{text[:start]} {written(value)}{text[end:]}"
    return text[:start] + written(value) + text[end:]


def _inserted(text: str, node: yaml.MappingNode, keys: list[str], value: Value) -> str:
    """``text`` with a new key in the mapping ``node``, after its last one."""
    if node.flow_style:
        at = node.end_mark.index - 1
        head = text[:at].rstrip()
        comma = ", " if node.value and not head.endswith(",") else ""
        inner = written(value)
        for key in reversed(keys[1:]):
            inner = f"{{{key}: {inner}}}"
        return f"{head}{comma}{keys[0]}: {inner}{text[at:]}"
    last_key, last = node.value[-1]
    end = _line_end(text, max(_end(text, last), last_key.end_mark.index))
    return f"{text[:end]}\n{_block(keys, value, ' ' * node.start_mark.column)}{text[end:]}"


def _block(keys: list[str], value: Value, indent: str) -> str:
    """Nested block mappings of ``keys``, the last with ``value``, without a line end."""
    lines = [f"{indent}{STEP * depth}{key}:" for depth, key in enumerate(keys)]
    return "\n".join(lines) + f" {written(value)}"


def _end(text: str, node: yaml.Node) -> int:
    """Where the text of ``node`` ends: a block collection's own mark is at the next token, lines below."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        pair = last if isinstance(last, tuple) else (last,)
        return max(_end(text, part) for part in pair)
    return len(text[: node.end_mark.index].rstrip()) if isinstance(node, yaml.ScalarNode) else node.end_mark.index


def _line_end(text: str, index: int) -> int:
    """The end of the line that holds ``index``: its comment stays with it."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.value == "" and node.style is None


def _by_hand(path: str, why: str) -> MlpackError:
    return MlpackError(f"{path} cannot be changed alone: {why}", hint="change it by hand")
