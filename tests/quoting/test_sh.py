"""Shell: what is written is what a real `sh` sees."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from tests.quoting.hostile import EXAMPLES, LINE

from mlpack.errors import SpecError
from mlpack.process import run
from mlpack.quoting.sh import sh, sh_words


@settings(max_examples=60, deadline=None)
@given(LINE)
def test_reads_back(text: str) -> None:
    assert run(["sh", "-c", f"printf %s {sh(text)}"]).stdout == text


def test_examples_read_back_as_words() -> None:
    said = run(["sh", "-c", f"printf '%s\\n' {sh_words(EXAMPLES)}"]).stdout
    assert said.split("\n")[:-1] == list(EXAMPLES)


def test_refuses_line_breaks() -> None:
    with pytest.raises(SpecError, match="line break"):
        sh("a\nb")
