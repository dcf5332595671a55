"""A model of Ollama's hub is read where a pull put it: manifest, layer, blob, as Ollama's own store lies on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.formats.build import small_gguf

from mlpack.flow.gather import gather
from mlpack.flow.ollama_store import stored_model
from mlpack.runtimes.hub import how_to_fetch

DIGEST = "sha256:" + "ab" * 32
SPEC = """
name: chat
models: {small: {hub: "llama3.2:3b", runtime: llama_cpp, max_input: {tokens: 4096}}}
services: {llm: {server: ollama, models: [small]}}
"""


def pulled(store: Path, place: str, digest: str = DIGEST, kind: str = "model") -> Path:
    manifest = store / "manifests" / place
    manifest.parent.mkdir(parents=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:" + "cd" * 32},
        {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest},
    ]
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    blob = store / "blobs" / digest.replace(":", "-")
    blob.parent.mkdir(exist_ok=True)
    if blob.parent == store / "blobs":
        blob.write_bytes(small_gguf())
    return blob


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("llama3.2:3b", "registry.ollama.ai/library/llama3.2/3b"),
        ("llama3.2", "registry.ollama.ai/library/llama3.2/latest"),
        ("someone/llama:7b", "registry.ollama.ai/someone/llama/7b"),
        ("hf.co/org/name:Q4_K_M", "hf.co/org/name/Q4_K_M"),
        ("localhost:5000/org/name", "localhost:5000/org/name/latest"),
    ],
)
def test_names(name: str, place: str, tmp_path: Path) -> None:
    blob = pulled(tmp_path, place)
    assert stored_model(name, {"OLLAMA_MODELS": str(tmp_path)}) == blob
    assert stored_model(f"{name}x", {"OLLAMA_MODELS": str(tmp_path)}) is None


def test_its_home_is_the_users(tmp_path: Path) -> None:
    blob = pulled(tmp_path / ".ollama" / "models", "registry.ollama.ai/library/llama3.2/3b")
    assert stored_model("llama3.2:3b", {"HOME": str(tmp_path)}) == blob


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": [1]}', '{"layers": "x"}'])
def test_damaged_manifests_are_no_model(text: str, tmp_path: Path) -> None:
    pulled(tmp_path, "registry.ollama.ai/library/m/latest")
    (tmp_path / "manifests/registry.ollama.ai/library/m/latest").write_text(text)
    assert stored_model("m", {"OLLAMA_MODELS": str(tmp_path)}) is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../b", "", "/m", "m/", ".m"])
def test_no_name_leads_out_of_the_store(name: str, tmp_path: Path) -> None:
    pulled(tmp_path, "registry.ollama.ai/library/m/latest")
    assert stored_model(name, {"OLLAMA_MODELS": str(tmp_path)}) is None


def test_gather_reads_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlpack.yaml").write_text(SPEC)
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "store"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "none"))
    assert gather(tmp_path).present == {"small": None}
    pulled(tmp_path / "store", "registry.ollama.ai/library/llama3.2/3b")
    info = gather(tmp_path).present["small"]
    assert info is not None
    assert info.format == "gguf"
    assert [file.path for file in info.files] == [DIGEST.replace(":", "-")]  # the same on every machine


def test_the_hint_names_the_program_that_fetches_it() -> None:
    assert how_to_fetch("llama3.2:3b") == "ollama pull llama3.2:3b"
    assert how_to_fetch("org/name") == "hf download org/name"
