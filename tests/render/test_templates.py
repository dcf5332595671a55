"""Templates place quoted values and nothing else: no logic in them, nothing unquoted out of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import TemplateRuntimeError, UndefinedError, nodes
from jinja2.exceptions import TemplateAssertionError

from mlpack.quoting import FILTERS, Quoted
from mlpack.quoting.sh import sh
from mlpack.render.templates import KINDS, UnquotedValue, environment, kind_of

FOLDER = Path(__file__).parent.parent.parent / "templates"
TEMPLATES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.j2"))
LOGIC = (
    *(nodes.Compare, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow, nodes.Neg),
    *(nodes.Pos, nodes.Concat, nodes.Call, nodes.Test, nodes.CondExpr, nodes.Macro, nodes.Assign, nodes.Slice),
)
"""Decisions and arithmetic belong in targets/ and servers/, where they are typed and tested."""


def test_there_are_templates() -> None:
    assert len(TEMPLATES) >= 9


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_logic(name: str) -> None:
    tree = environment(kind_of(name)).parse((FOLDER / name).read_text(encoding="utf-8"))
    found = [f"line {node.lineno}: {type(node).__name__}" for node in tree.find_all(LOGIC)]
    assert not found


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_output_ends_in_a_filter_of_its_kind(name: str) -> None:
    """Seen in the tree, so that a branch no test renders is covered too."""
    tree = environment(kind_of(name)).parse((FOLDER / name).read_text(encoding="utf-8"))
    for output in tree.find_all(nodes.Output):
        for child in output.nodes:
            if not isinstance(child, nodes.TemplateData):
                assert isinstance(child, nodes.Filter), f"{name}:{output.lineno} prints without a filter"
                assert child.name in FILTERS


@pytest.mark.parametrize("value", ["text", 1, 1.5, True, None])
def test_unquoted_values_are_refused(value: object) -> None:
    with pytest.raises(UnquotedValue):
        environment("sh").from_string("{{ value }}").render(value=value)


def test_values_spelled_for_another_file_are_refused() -> None:
    with pytest.raises(UnquotedValue, match="sh"):
        environment("compose.yaml").from_string("{{ value | sh }}").render(value="x")


def test_joined_quotes_are_no_longer_quoted() -> None:
    quoted = sh("a b")
    assert isinstance(quoted, Quoted)
    assert not isinstance(quoted + quoted, Quoted)
    with pytest.raises(UnquotedValue):
        environment("sh").from_string("{{ a ~ b }}").render(a=quoted, b=quoted)


@pytest.mark.parametrize("source", ["{{ missing | sh }}", "{{ a.missing | sh }}", "{% for x in missing %}{% endfor %}"])
def test_undefined_is_an_error(source: str) -> None:
    with pytest.raises(UndefinedError):
        environment("sh").from_string(source).render(a={})


@pytest.mark.parametrize("source", ["{{ a | upper }}", "{{ a | tojson }}", "{% if a is defined %}{% endif %}"])
def test_built_in_filters_and_tests_are_gone(source: str) -> None:
    with pytest.raises((TemplateAssertionError, TemplateRuntimeError)):
        environment("sh").from_string(source).render(a="x")


def test_globals_are_gone() -> None:
    assert not environment("sh").globals


def test_kinds_name_real_dialects() -> None:
    known = {dialect for dialects in KINDS.values() for dialect in dialects}
    known_kinds = {"compose", "comment", "dockerfile", "sh", "dockerignore", "env_file", "python", "markdown", "yaml"}
    assert known == known_kinds | {"nginx", "caddy", "systemd"}
