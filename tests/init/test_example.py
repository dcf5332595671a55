"""On the example with its mlpack.yaml removed, init writes an equivalent one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mlpack.config import load_spec
from mlpack.init import detect, write_spec
from mlpack.spec import EnvValue, Spec

from .conftest import WEIGHTS

EXAMPLE = Path(__file__).parents[2] / "examples" / "embedding"


def copy_of_the_example(folder: Path) -> Path:
    """The example's code and settings, with small weights in place of the real ones (they are not in git)."""
    root = folder / "embedding"
    model = root / "weights" / "all-minilm-l6-v2"
    model.mkdir(parents=True)
    for name in ("app.py", "fetch_weights.py", "requirements.txt"):
        shutil.copy(EXAMPLE / name, root)
    (model / "model.safetensors").write_bytes(WEIGHTS)
    (model / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 512}))
    (model / "tokenizer.json").write_text("{}")
    return root


def test_init_writes_what_the_example_has(tmp_path: Path) -> None:
    root = copy_of_the_example(tmp_path)
    write_spec(root, detect(root, {}, running="3.11"))
    written = load_spec(root).spec
    own = load_spec(EXAMPLE).spec
    assert without_names(written) == without_names(own)


def without_names(spec: Spec) -> Spec:
    """``spec`` without requests (init cannot know them), its only model called ``model``."""
    ((name, model),) = spec.models.items()
    services = {
        key: service.model_copy(
            update={
                "models": tuple("model" if used == name else used for used in service.models),
                "env": {
                    variable: EnvValue(**(value.model_dump() | {"of": "model" if value.of == name else value.of}))
                    for variable, value in service.env.items()
                },
            }
        )
        for key, service in spec.services.items()
    }
    return spec.model_copy(update={"models": {"model": model}, "services": services, "requests": {}})
