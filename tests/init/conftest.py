"""Projects made of text: what `mlpack init` finds in the wild, in a few lines each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Project = Callable[[Mapping[str, str | bytes]], Path]


def safetensors(**shapes: tuple[int, ...]) -> bytes:
    """A whole safetensors file with zeros."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        count = 4
        for dimension in shape:
            count *= dimension
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + count]}
        offset += count
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(offset)


WEIGHTS = safetensors(weight=(2, 2))
FASTAPI = """\
from fastapi import FastAPI
app = FastAPI()

@app.get("/health")
def health(): ...

@app.post("/predict")
def predict(): ...
"""
SIMPLE: dict[str, str | bytes] = {
    "app.py": FASTAPI,
    "requirements.txt": "fastapi\ngunicorn\ntorch\n",
    "weights/unet.safetensors": WEIGHTS,
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write files below a folder named ``shop`` and return it."""
    root = tmp_path / "shop"

    def write(files: Mapping[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write
