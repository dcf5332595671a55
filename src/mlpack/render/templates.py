"""The template engine, made strict: a template can place quoted values and nothing else.

No globals, no built-in filters or tests; undefined names are errors; each kind of file takes the dialects that mean
something in it, so that a value quoted for the shell cannot land in YAML.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateNotFound, Undefined

from mlpack.quoting import FILTERS, Quoted

KINDS: dict[str, frozenset[str]] = {
    "compose.yaml": frozenset({"compose", "comment"}),
    "compose.gpu.yaml": frozenset({"compose", "comment"}),
    "mlpack.yaml": frozenset({"yaml", "comment"}),
    "Dockerfile": frozenset({"dockerfile", "sh", "comment"}),
    "dockerignore": frozenset({"dockerignore", "comment"}),
    "env": frozenset({"env_file", "comment"}),
    "nginx.conf": frozenset({"nginx", "comment"}),
    "Caddyfile": frozenset({"caddy", "comment"}),
    "service": frozenset({"systemd", "comment"}),
    "target": frozenset({"systemd", "comment"}),
    "journald.conf": frozenset({"systemd", "comment"}),
    "py": frozenset({"python", "comment"}),
    "sh": frozenset({"sh", "comment"}),
    "md": frozenset({"markdown", "sh"}),
}
"""The end of a template's name, `.j2` taken off -> the dialects that its values may be spelled in."""


class UnquotedValue(TypeError):
    """A template prints something that no filter has spelled: a mistake in the template, not of the user."""


def render_template(name: str, values: Mapping[str, object]) -> str:
    """Template ``name`` (a path below templates/) filled with ``values``; ends in exactly one newline.

    Raises UnquotedValue, jinja2.UndefinedError and TemplateNotFound for faults of mlpack's own.
    """
    return _template(name).render(values).rstrip("\n") + "\n"


@functools.cache
def environment(kind: str) -> Environment:
    """The engine for one kind of file (a key of KINDS)."""
    dialects = KINDS[kind]

    def finalize(value: object) -> object:
        if isinstance(value, Undefined):
            str(value)  # StrictUndefined raises, naming it
        if not isinstance(value, Quoted):
            raise UnquotedValue(f"{value!r} ({type(value).__name__}) is printed without a filter of {sorted(dialects)}")
        if value.dialect not in dialects:
            raise UnquotedValue(f"{value!r} is spelled for {value.dialect}, not for {kind}: {sorted(dialects)}")
        return value

    made = Environment(
        loader=_Packaged(),
        undefined=StrictUndefined,
        finalize=finalize,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals.clear()
    made.tests.clear()
    made.filters.clear()
    made.filters.update({name: _defined(spell) for name, spell in FILTERS.items()})
    return made


def _defined(spell: Callable[[Any], Quoted]) -> Callable[[Any], Quoted]:
    """``spell``, but a name that is not there is reported as that."""

    def checked(value: object) -> Quoted:
        if isinstance(value, Undefined):
            str(value)  # StrictUndefined raises, naming it
        return spell(value)

    return checked


class _Packaged(BaseLoader):
    """Reads templates from the installed package."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, None]:  # noqa: ARG002
        found = files("mlpack").joinpath("templates", *template.split("/"))
        if not found.is_file():
            raise TemplateNotFound(template)
        return found.read_text(encoding="utf-8"), str(found), None


@functools.cache
def _template(name: str) -> Template:
    return environment(kind_of(name)).get_template(name)


def kind_of(name: str) -> str:
    """The kind of file that template ``name`` makes. Raises KeyError for one that KINDS does not know."""
    stem = name.removesuffix(".j2")
    for kind in KINDS:
        if stem.endswith(("." + kind, "/" + kind, "_" + kind)):
            return kind
    raise KeyError(f"{name}: no kind of file ends like this")
