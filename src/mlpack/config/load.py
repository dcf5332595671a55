"""load_spec: profiles, mlpack.yaml and ``--set`` become one checked Spec that knows who said what, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlpack.config.check import check
from mlpack.config.layers import OWN_PROFILES, Layers, read_layers, read_mapping
from mlpack.config.merge import merge
from mlpack.config.normalise import MANY, Notes, normalise
from mlpack.config.tree import Origin
from mlpack.errors import DoesNotFit, SpecError, UsageError
from mlpack.project import SPEC_FILE
from mlpack.spec import Spec

_SAID_PLAINLY = {  # pydantic's error type -> our words, with the values of its context
    "missing": "is missing",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "finite_number": "must be a finite number",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "is not a name: lower-case letters and digits, single - or _ between, a letter first",
}


@dataclass(frozen=True)
class LoadedSpec:
    """A Spec with its history. Paths are Spec's, dotted: ``services.web.timeout_s``, ``requests.a.steps.0.path``."""

    spec: Spec
    profiles: tuple[str, ...]
    origins: dict[str, Origin]
    """Leaf of the spec -> who set it last; every leaf is in it."""
    sources: tuple[Path, ...]
    """Files of the project that were read, to be hashed."""
    positions: dict[str, str]
    """Whatever was written -> ``mlpack.yaml:12``."""
    notes: Notes = field(repr=False, compare=False)

    def origin(self, path: str) -> Origin:
        """Who set ``path``: ``default`` where nobody did."""
        return self.origins.get(path, "default")

    def where(self, path: str) -> str:
        """``mlpack.yaml:12 services.web.timeout``: the place of ``path`` as its writer knows it, for messages."""
        return self.notes.where(path)


@contextmanager
def located(loaded: LoadedSpec) -> Iterator[None]:
    """What is refused inside names the line as well: ``services.web.workers`` becomes ``mlpack.yaml:12 services...``.

    Only for paths that were written, or whose service was; what a built-in profile says has no line of the user's.
    """
    try:
        yield
    except (SpecError, DoesNotFit) as error:
        marks = loaded.notes.marks.values()
        lines = {written: mark.where for written, mark in marks if not mark.where.startswith(OWN_PROFILES)}
        above = error.where or ""
        while above and above not in lines:
            above = above.rpartition(".")[0]
        if above:
            error.where = f"{lines[above]} {error.where}"
        raise


def load_spec(root: Path, profiles: Sequence[str] = (), sets: Sequence[str] = ()) -> LoadedSpec:
    """The project's Spec: built-in profiles < mlpack.yaml < its profiles and profile files in order < ``sets``.

    A profile is ``dev``, ``prod``, ``gpu``, a name in mlpack.yaml's ``profiles:`` (both apply), or a .yaml file of
    the project. A set is ``a.b.c=value``, the value YAML. Raises SpecError with every mistake found, each with its
    line, and UsageError for profiles and sets that do not exist.
    """
    twice = next((name for index, name in enumerate(profiles) if name in profiles[:index]), None)
    if twice is not None:
        raise UsageError(f"the profile {twice!r} is given twice", hint="name it once")
    return _load(read_layers(root, profiles, sets), tuple(profiles))


def load_text(raw: bytes, shown: str) -> LoadedSpec:
    """The Spec of one YAML text alone, called ``shown`` in messages. Raises SpecError."""
    return _load(Layers((read_mapping(raw, shown, "user"),), {}, ()), ())


def _load(layers: Layers, profiles: tuple[str, ...]) -> LoadedSpec:
    notes = Notes()
    data = normalise(reduce(merge, layers.trees), notes)
    for name, tree in layers.unused.items():  # a typo is a typo even where nobody looks today
        unused = Notes()
        normalise(tree, unused, f"profiles.{name}")
        notes.mistakes.extend(unused.mistakes)
    _raise(notes.mistakes)
    spec = _validate(data, notes)
    _raise([SpecError(said.what, where=notes.where(said.path), hint=said.hint) for said in check(spec)])
    return LoadedSpec(
        spec=spec,
        profiles=profiles,
        origins=_origins(spec, notes),
        sources=layers.sources,
        positions={path: mark.where for path, (_, mark) in notes.marks.items()},
        notes=notes,
    )


def _validate(data: dict[str, Any], notes: Notes) -> Spec:
    """Spec from normalised data; pydantic's complaints in our form and with our places."""
    try:
        return Spec.model_validate(data)
    except ValidationError as error:
        mistakes = []
        for complaint in error.errors(include_url=False):
            parts = [str(part) for part in complaint["loc"] if part != "[key]"]
            said = _SAID_PLAINLY.get(complaint["type"], complaint["msg"]).format(**complaint.get("ctx", {}))
            value = complaint["input"]
            shown = f"{value!r} " if isinstance(value, str | int | float) else ""
            hint = "add it" if complaint["type"] == "missing" else None
            mistakes.append(SpecError(shown + said, where=notes.where(".".join(parts)), hint=hint))
        _raise(mistakes)
        raise AssertionError("pydantic raised without an error") from error


def _raise(mistakes: Sequence[SpecError]) -> None:
    """Raise one mistake as it is, several as a list."""
    if len(mistakes) == 1:
        raise mistakes[0]
    if mistakes:
        listed = "\n".join(f"- {mistake}" for mistake in mistakes[:MANY])
        more = f"\n- and {len(mistakes) - MANY} more" if len(mistakes) > MANY else ""
        raise SpecError(f"{len(mistakes)} mistakes\n{listed}{more}", where=SPEC_FILE)


def _origins(spec: Spec, notes: Notes) -> dict[str, Origin]:
    """Every leaf of ``spec``; JSON that is only data (a request's body) is one leaf."""
    origins: dict[str, Origin] = {}

    def walk(value: Any, path: str) -> None:
        is_data = path.rpartition(".")[2] == "json"
        if isinstance(value, dict | list | tuple) and value and not is_data:
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, below in pairs:
                walk(below, f"{path}.{key}".lstrip("."))
            return
        origins[path] = notes.marks[path][1].origin if path in notes.marks else "default"

    walk(spec.model_dump(mode="json"), "")
    return origins
