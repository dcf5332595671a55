"""Env files: one spelling for Compose and systemd. Compose itself reads it in ``test_compose_reads``."""

from __future__ import annotations

import pytest
from hypothesis import given
from tests.quoting.hostile import LINE

from mlpack.errors import SpecError
from mlpack.quoting.env_file import env_line


def systemd_reads(line: str) -> tuple[str, str]:
    """One line as systemd.exec(5) describes EnvironmentFile=; inside double quotes a backslash escapes four signs."""
    name, _, rest = line.partition("=")
    assert rest[0] == '"'
    value, position = "", 1
    while rest[position] != '"':
        if rest[position] == "\\" and rest[position + 1] in '"\\`$':
            position += 1
        value += rest[position]
        position += 1
    assert position == len(rest) - 1, "text after the closing quote"
    return name, value


@given(LINE)
def test_systemd_reads_back(text: str) -> None:
    assert systemd_reads(env_line(("A_1", text))) == ("A_1", text)


@pytest.mark.parametrize("value", ["a\nb", "a\rb"])
def test_refuses_line_breaks_with_a_way_out(value: str) -> None:
    with pytest.raises(SpecError, match="PEM") as caught:
        env_line(("PEM", value))
    assert "secret" in str(caught.value)


@pytest.mark.parametrize("name", ["1A", "A-B", "", "A B", "A=B", "Ä"])
def test_refuses_names_that_are_none(name: str) -> None:
    with pytest.raises(SpecError):
        env_line((name, "x"))
