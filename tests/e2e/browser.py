"""A headless Chromium for tests: the system's own, driven by Playwright. In CI it must be there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def page(width: int = 1280, height: int = 900) -> Iterator[Page]:
    """A page whose errors, and requests to other hosts, fail the test."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        reason = "no Chromium here (Debian: apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    wrong: list[str] = []
    with sync_playwright() as playwright:
        # as root Chromium refuses its own sandbox; a container's /dev/shm may be small
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            made = browser.new_page(viewport={"width": width, "height": height})
            made.on("pageerror", lambda error: wrong.append(str(error)))
            made.on("request", lambda sent: None if _own(sent.url) else wrong.append(f"asks {sent.url}"))
            yield made
        finally:
            browser.close()
    assert wrong == []


def _own(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))
