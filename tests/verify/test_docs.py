"""docs/verify.md names every check and every cause that a report can hold."""

from __future__ import annotations

import re
from pathlib import Path

from mlpack.verify.cause import KINDS
from mlpack.verify.checks import CHECKS, TEARDOWN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_-]+)`", PAGE))


def test_every_check_is_in_the_page_in_its_order() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", PAGE.partition("## Causes")[0], re.MULTILINE)
    assert rows == [*CHECKS, TEARDOWN]


def test_every_cause_is_in_the_page() -> None:
    own = set()
    for file in (ROOT / "src" / "mlpack" / "verify").rglob("*.py"):
        own |= set(re.findall(r'kind="([a-z-]+)"', file.read_text(encoding="utf-8")))
    assert (set(KINDS) | own) - NAMED == set()
