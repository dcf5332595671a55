"""The five systems that the spec language must carry load; what was written arrives, in bytes and seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mlpack.config import LoadedSpec, load_spec
from mlpack.spec import EnvValue

SPECS = Path(__file__).parent.parent / "specs"
MIB = 1024**2


def sketch(name: str, folder: Path, *profiles: str) -> LoadedSpec:
    shutil.copy(SPECS / f"{name}.yaml", folder / "mlpack.yaml")
    return load_spec(folder, profiles)


@pytest.mark.parametrize("profile", ["dev", "prod", "gpu"])
@pytest.mark.parametrize("name", sorted(path.stem for path in SPECS.glob("*.yaml")))
def test_every_sketch_loads_with_every_built_in_profile(name: str, profile: str, tmp_path: Path) -> None:
    loaded = sketch(name, tmp_path, profile)
    assert loaded.spec.name == name
    assert sum(request.largest for request in loaded.spec.requests.values()) == 1


def test_segmentation(tmp_path: Path) -> None:
    spec = sketch("segmentation", tmp_path).spec
    web = spec.services["web"]
    assert web.max_body_bytes == 8 * MIB
    assert web.env == {"MAX_UPLOAD_BYTES": EnvValue(of="web", fact="max_body")}
    assert spec.volumes["raw"].path == "data/raw"
    unet = spec.models["unet"].max_input
    assert unet is not None
    assert unet.shape == (1024, 1024, 3)
    first, second = spec.requests["cells"].steps
    assert (first.method, first.path, first.file) == ("POST", "/segment", {"image": "samples/cells-1024.png"})
    assert second.expect is not None
    assert second.expect.iou == 0.95
    (only,) = spec.requests["too-big"].steps
    assert only.expect is not None
    assert only.expect.status == 413


def test_moderation(tmp_path: Path) -> None:
    plain, prod = sketch("moderation", tmp_path).spec, sketch("moderation", tmp_path, "prod").spec
    assert plain.budget.memory_bytes is None
    assert (prod.budget.memory_bytes, prod.budget.cpus) == (12 * 1024 * MIB, 4)
    assert prod.budget.memory_share == 0.85  # the built-in profile of that name holds too
    assert plain.requests["long"].steps[0].json_ == {"text": {"file": "samples/long.txt"}}


def test_mri_pipeline(tmp_path: Path) -> None:
    spec = sketch("mri-pipeline", tmp_path).spec
    worker = spec.services["worker"]
    assert worker.timeout_s == 600
    assert worker.build is not None
    assert worker.build.conda == "environment.yml"
    assert spec.models["segmenter"].path == "weights/knee $v2.safetensors"
    done = spec.requests["knee"].steps[1]
    assert done.until is not None
    assert done.until.json_ == {"state": "done"}
    assert done.expect is not None
    assert done.expect.json_ == {"volume_ml": {"near": 12.3, "within": 0.5}}
    assert sketch("mri-pipeline", tmp_path, "hybrid").spec.services["worker"].target == "systemd"
    assert sketch("mri-pipeline", tmp_path, "systemd").spec.target == "systemd"


def test_documents(tmp_path: Path) -> None:
    spec = sketch("documents", tmp_path).spec
    assert spec.services["llm"].timeout_s == 120
    assert spec.services["worker"].env["LLM_SLOTS"] == EnvValue(of="llm", fact="concurrency")
    assert spec.requests["form"].steps[1].within_s == 900
    assert sketch("documents", tmp_path, "ollama").spec.services["llm"].server == "ollama"


def test_classifier(tmp_path: Path) -> None:
    spec = sketch("classifier", tmp_path).spec
    assert spec.verify.p95_s == 0.5
    assert spec.services["proxy"].rate_per_s == 20
    assert spec.services["api"].env["API_KEY"] == EnvValue(secret="api_key")
    assert spec.requests["eye"].steps[0].headers == {"X-API-Key": EnvValue(secret="api_key")}
