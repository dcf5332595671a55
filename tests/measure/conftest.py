"""Small apps whose memory is known, and how to measure them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.measure.request import RawRequest
from mlpack.measure.subject import Subject

MakeSubject = Callable[..., Subject]


@pytest.fixture
def subject(tmp_path: Path) -> MakeSubject:
    """A subject from the text of its app; the module is called ``service`` and the attribute ``app``."""

    def make(
        text: str, *, body: bytes = b"", status: int = 200, weights: bytes = b"", app: str = "service:app"
    ) -> Subject:
        (tmp_path / "service.py").write_text(text)
        files: tuple[Path, ...] = ()
        if weights:
            (tmp_path / "weights.bin").write_bytes(weights)
            files = (tmp_path / "weights.bin",)
        request = RawRequest("largest", "POST", "/predict?x=1", (("Content-Type", "text/plain"),), body, status)
        env = {"PATH": os.environ["PATH"], "GREETING": "hello"}
        python = Path(sys.executable)
        return Subject("web", app, tmp_path, python, request, env, server="none", model_files=files)

    return make
