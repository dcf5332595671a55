"""Models of a hub are read where the hub's own client keeps them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.formats.build import safetensors_bytes, safetensors_header

from mlpack.flow import gather
from mlpack.flow.hub_cache import cache_folder, cached_model

SPEC = """
name: shop
models: {theme: {hub: org/name, max_input: {tokens: 16}}}
services: {web: {server: gunicorn, app: "app:app", port: 8000, models: [theme]}}
"""


def fetched(cache: Path, name: str = "org/name", commit: str = "0123abcd") -> Path:
    """A model as the client leaves it: blobs, links to them, and which commit ``main`` is."""
    folder = cache / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    contents = {
        "config.json": json.dumps({"model_type": "bert", "hidden_size": 4}).encode(),
        "model.safetensors": safetensors_bytes(safetensors_header({"a": ("F32", (3, 5))})),
    }
    for file, content in contents.items():
        (folder / "blobs" / file).write_bytes(content)
        (snapshot / file).symlink_to(f"../../blobs/{file}")
    return snapshot


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b", "HOME": "/h"}, "/a"),
        ({"HF_HOME": "/b", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/huggingface/hub"),
        ({"HOME": "/h"}, "/h/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_the_client_has_it(environ: dict[str, str], folder: str) -> None:
    assert cache_folder(environ) == Path(folder)


def test_a_models_header_is_read_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlpack.yaml").write_text(SPEC)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert gather(tmp_path).present == {"theme": None}
    fetched(tmp_path / "hf" / "hub")
    info = gather(tmp_path).present["theme"]
    assert info is not None
    assert (info.format, info.parameters) == ("transformers", 15)
    # so that the lock says the same on every machine
    assert sorted(file.path for file in info.files) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("said", ["", "../../elsewhere", "0123abcd\n\n", "ffff"])
def test_only_a_snapshot_of_the_cache_is_taken(tmp_path: Path, said: str) -> None:
    snapshot = fetched(tmp_path)
    (snapshot.parents[1] / "refs" / "main").write_text(said)
    found = cached_model("org/name", {"HF_HUB_CACHE": str(tmp_path)})
    assert found == (snapshot if said.strip() == "0123abcd" else None)
