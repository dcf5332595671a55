"""Every file in mistakes/ is a mlpack.yaml that cannot be meant; its ``#=`` lines are the whole message it gives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlpack.config import load_spec
from mlpack.errors import SpecError

CASES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_mistake_is_named_with_its_place(case: Path, tmp_path: Path) -> None:
    text = case.read_text(encoding="utf-8")
    expected = "\n".join(line.removeprefix("#= ") for line in text.splitlines() if line.startswith("#="))
    shutil.copy(case, tmp_path / "mlpack.yaml")
    with pytest.raises(SpecError) as raised:
        load_spec(tmp_path)
    assert str(raised.value) == expected
