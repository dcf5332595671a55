"""A project made of text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.config import LoadedSpec, load_spec

SHOP = """\
name: shop
services:
  web:
    server: gunicorn
    app: "app:app"
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., LoadedSpec]:
    """Load the shop with ``more`` lines at its end, or another ``text``; profiles and sets as load_spec takes them."""

    def load_text(
        more: str = "", *, text: str = SHOP, profiles: tuple[str, ...] = (), sets: tuple[str, ...] = ()
    ) -> LoadedSpec:
        (tmp_path / "mlpack.yaml").write_text(text + more, encoding="utf-8")
        return load_spec(tmp_path, profiles, sets)

    return load_text
