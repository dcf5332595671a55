"""The page in Chromium: nothing is asked for, nothing runs, nothing sticks out; light, dark, phone and paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e import browser
from tests.reports.hostile import WORST, report

from mlpack.reports.page import page

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("text", ["fine", WORST], ids=["fine", "hostile"])
def test_it_is_whole_and_nothing_sticks_out(width: int, text: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(report(text)), encoding="utf-8")
    with browser.page(width=width) as shown:
        shown.set_content(file.read_text(encoding="utf-8"))
        assert shown.evaluate("window.hacked") is None
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        assert shown.locator("figure svg").count() == 2
        ground = "getComputedStyle(document.body).backgroundColor"
        light = shown.evaluate(ground)
        shown.emulate_media(color_scheme="dark")
        assert shown.evaluate(ground) != light
        shown.emulate_media(media="print", color_scheme="dark")
        assert shown.evaluate(ground) == light, "paper is white"
        assert shown.pdf()[:4] == b"%PDF"
