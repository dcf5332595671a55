"""A Tree of what people wrote into the plain data Spec takes, guided by Spec's types; one message a mistake."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

from mlpack.config.later import LATER
from mlpack.config.scalar import Twisted, plain_value, read_as
from mlpack.config.shape import Unit, as_written, bare, keys_of
from mlpack.config.short import FIELD_FORMS, NOUN_FORMS, Mistake
from mlpack.config.tree import Branch, Leaf, Mark, Row, Tree
from mlpack.errors import SpecError
from mlpack.noun import Noun
from mlpack.spec import Spec

MANY = 30
"""Names compared and listed in a hint, at most."""
SKIP: Any = object()
"""No value: the key was empty (its default holds) or mistaken (already noted)."""


@dataclass(frozen=True)
class Place:
    """A node's dotted path in Spec (``services.web.max_body_bytes``) and as written (``services.web.max_body``)."""

    spec: str
    written: str

    def child(self, name: str, key: str) -> Place:
        """The place below, named ``name`` in Spec and ``key`` by the writer (empty: no step of its own)."""
        return Place(f"{self.spec}.{name}".lstrip("."), f"{self.written}.{key}".strip(".") if key else self.written)


@dataclass
class Notes:
    """What the walk learns beside the data: every node's mark and the mistakes, in reading order."""

    marks: dict[str, tuple[str, Mark]] = field(default_factory=dict)
    """Dotted path in Spec -> (dotted path as written, mark)."""
    mistakes: list[SpecError] = field(default_factory=list)

    def where(self, path: str) -> str:
        """``mlpack.yaml:12 services.web.app`` for a path of Spec; of its nearest parent where it was not written."""
        above = path
        while above and above not in self.marks:
            above = above.rpartition(".")[0]
        written, mark = self.marks[above]
        below = as_written(path, Spec).removeprefix(as_written(above, Spec))
        return f"{mark.where} {f'{written}{below}'.removeprefix('.')}".strip()

    def refuse(self, tree: Tree, place: Place, what: str, hint: str | None = None) -> Any:
        """Note a mistake and return SKIP."""
        self.mistakes.append(SpecError(what, where=f"{tree.mark.where} {place.written}".strip(), hint=hint))
        return SKIP


def normalise(tree: Tree, notes: Notes, written: str = "") -> dict[str, Any]:
    """The data of the Spec in ``tree``; what is wrong is in ``notes.mistakes`` (then the data has holes).

    ``written`` is where the tree stands in its file: ``profiles.small``.
    """
    data = _noun(tree, Spec, Place("", written), notes)
    return {} if data is SKIP else data


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant to be: its letters in another order, else the closest."""
    known = list(known)[:MANY]
    for name in known:
        if sorted(name) == sorted(word):
            return name
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), None)


def choices_hint(word: str, known: Iterable[str]) -> str:
    """A hint naming the nearest of ``known``, or all of them."""
    if word in LATER:
        return LATER[word]
    names = list(known)
    near = nearest(word, names)
    if near is not None:
        return f"did you mean `{near}`?"
    if not names:
        return "none is defined yet"
    return f"known: {', '.join(names[:MANY])}{' ...' if len(names) > MANY else ''}"


def _value(tree: Tree, kind: Any, place: Place, notes: Notes) -> Any:
    notes.marks[place.spec] = (place.written, tree.mark)
    kind = bare(kind)
    if kind is Any:
        return _data(tree, place, notes)
    if isinstance(kind, type) and issubclass(kind, Noun):
        return _noun(tree, kind, place, notes)
    if get_origin(kind) is dict:
        return _mapping(tree, get_args(kind)[1], place, notes)
    if get_origin(kind) is tuple:
        return _row(tree, get_args(kind)[0], place, notes)
    if not isinstance(tree, Leaf):
        return notes.refuse(tree, place, f"wants one value, not a {_shape(tree)}")
    if get_origin(kind) is Literal and isinstance(get_args(kind)[0], str):
        return _choice(tree, get_args(kind), place, notes)
    return _scalar(tree, int if get_origin(kind) is Literal else kind, place, notes)


def _formed(tree: Tree, form: Callable[[Tree], Tree] | None, place: Place, notes: Notes) -> Tree | None:
    """``tree`` with its short form written out; None after a mistake."""
    try:
        return form(tree) if form else tree
    except Mistake as mistake:
        notes.refuse(tree, place, mistake.what, mistake.hint)
        return None


def _noun(tree: Tree, noun: type[Noun], place: Place, notes: Notes) -> Any:
    notes.marks[place.spec] = (place.written, tree.mark)
    formed = _formed(tree, NOUN_FORMS.get(noun), place, notes)
    if formed is None:
        return SKIP
    if _is_null(formed):
        return {}
    if not isinstance(formed, Branch):
        return notes.refuse(
            tree, place, f"wants a mapping, not a {_shape(tree)}", f"its keys: {', '.join(keys_of(noun))}"
        )
    data = {}
    for key, value in formed.items.items():
        known = keys_of(noun).get(key)
        if known is None:
            notes.refuse(value, place.child(key, key), f"unknown key `{key}`", _unknown_key_hint(key, noun))
            continue
        below = place.child(known.field, key if value.mark.key is None else value.mark.key)
        item = _formed(value, FIELD_FORMS.get((noun, key)), below, notes)
        if item is None or _is_null(item):
            notes.marks[below.spec] = (below.written, value.mark)
            continue
        read = _quantity(item, known.unit, below, notes) if known.unit else _value(item, known.kind, below, notes)
        if read is not SKIP:
            data[known.field] = read
    return data


def _unknown_key_hint(key: str, noun: type[Noun]) -> str:
    own = [*keys_of(noun), "profiles"] if noun is Spec else list(keys_of(noun))
    return choices_hint(key, own)


def _mapping(tree: Tree, kind: Any, place: Place, notes: Notes) -> Any:
    if not isinstance(tree, Branch):
        return notes.refuse(tree, place, f"wants a mapping of names, not a {_shape(tree)}")
    data = {}
    for key, value in tree.items.items():
        read = _value(value, kind, place.child(key, key), notes)
        if read is not SKIP:
            data[key] = read
    return data


def _row(tree: Tree, kind: Any, place: Place, notes: Notes) -> Any:
    if not isinstance(tree, Row):
        hint = f"write [{tree.text}]" if isinstance(tree, Leaf) else "write [one, two]"
        return notes.refuse(tree, place, f"wants a list, not a {_shape(tree)}", hint)
    data = []
    for index, item in enumerate(tree.items):
        below = place.child(str(index), str(index) if item.mark.key is None else item.mark.key)
        if _is_null(item):
            notes.refuse(item, below, "is empty", "remove it")
            continue
        read = _value(item, kind, below, notes)
        if read is not SKIP:
            data.append(read)
    return data


def _choice(leaf: Leaf, choices: tuple[str, ...], place: Place, notes: Notes) -> Any:
    if not leaf.quoted and leaf.text in choices and not isinstance(plain_value(leaf.text), str):
        return _not_text(leaf, place, notes)
    if leaf.text not in choices:
        return notes.refuse(leaf, place, f"{leaf.text!r} is not possible here", choices_hint(leaf.text, choices))
    return leaf.text


def _quantity(tree: Tree, unit: Unit, place: Place, notes: Notes) -> Any:
    """A size, duration or rate as bytes, seconds or events per second. A size says its unit: 100 might be MiB."""
    notes.marks[place.spec] = (place.written, tree.mark)
    text = tree.text if isinstance(tree, Leaf) else ""
    value = text if not isinstance(tree, Leaf) or tree.quoted else plain_value(text)
    if unit.name == "size" and text.strip().isdigit() and int(text) > 0:
        count = text.strip()
        return notes.refuse(
            tree, place, f"{count} of what? a size needs its unit", f"write {count}M, or {count}B for bytes"
        )
    try:
        number = unit.parse(f"{value}") if isinstance(value, str) else value
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            return int(number) if unit.name == "size" and number == int(number) else number
    except (ValueError, OverflowError):
        pass
    what = f"{text!r} is not a {unit.name}" if text else f"wants a {unit.name}"
    return notes.refuse(tree, place, what, f"write it like {unit.example}")


def _scalar(leaf: Leaf, kind: type, place: Place, notes: Notes) -> Any:
    value = leaf.text if leaf.quoted else plain_value(leaf.text)
    if kind is str:
        if isinstance(value, str):
            return value
        if type(value) is int and str(value) == leaf.text:
            return leaf.text
        return _not_text(leaf, place, notes)
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    wanted = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
    said = f"{leaf.text!r}" if leaf.quoted else leaf.text
    hint = None
    if leaf.quoted and type(plain_value(leaf.text)) is kind:
        hint = "remove the quotes"
    elif isinstance(value, Twisted):
        hint = f"YAML reads {leaf.text} as {value.kind}; write {wanted} plainly"
    return notes.refuse(leaf, place, f"wants {wanted}, not {said}", hint)


def _not_text(leaf: Leaf, place: Place, notes: Notes) -> Any:
    what = f"YAML reads {leaf.text} as {read_as(leaf.text)}, not as text"
    return notes.refuse(leaf, place, what, f'write "{leaf.text}" in quotes')


def _data(tree: Tree, place: Place, notes: Notes) -> Any:
    """Any JSON value, as it stands."""
    if isinstance(tree, Row):
        return [_data(item, place, notes) for item in tree.items]
    if isinstance(tree, Branch):
        return {key: _data(value, place.child(key, key), notes) for key, value in tree.items.items()}
    value = tree.text if tree.quoted else plain_value(tree.text)
    if isinstance(value, Twisted):
        return _not_text(tree, place, notes)
    return value


def _is_null(tree: Tree) -> bool:
    return isinstance(tree, Leaf) and not tree.quoted and plain_value(tree.text) is None


def _shape(tree: Tree) -> str:
    return {Leaf: "single value", Branch: "mapping", Row: "list"}[type(tree)]
