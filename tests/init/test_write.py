"""mlpack.yaml as init writes it: it loads, says what was found, and never replaces another one unasked."""

from __future__ import annotations

import pytest

from mlpack.config import load_spec
from mlpack.errors import SpecError, UsageError
from mlpack.init import detect, spec_text, write_spec
from mlpack.spec import EnvValue

from .conftest import FASTAPI, SIMPLE, WEIGHTS, Project

EXPECTED = """\
# Written by `mlpack init` from what the project's files say. Look it over, then: mlpack plan prod --explain
name: shop
build: {python: "3.12", requirements: requirements.txt}   # Python: the Python that runs mlpack

models:
  unet:
    path: weights/unet.safetensors
    runtime: torch
    # Say the largest input of one request, which sizing is for:
    # max_input: {tokens: 512, batch: 8}, or one item's shape: {shape: [3, 224, 224], batch: 8}

services:
  web:
    server: gunicorn
    app: "app:app"   # app.py:2
    interface: asgi
    endpoint: def
    port: 8000
    health: /health   # app.py:5
    models: [unet]

# A real request and its answer: measuring, verifying and load all use the largest one.
# requests:
#   first:
#     largest: true
#     to: web
#     post: /predict
#     json: {file: samples/first.json}
#     expect: {json: {like: samples/first.expected.json, within: 0.001}}
"""


def test_the_file_is_tidy_and_says_where_things_were_found(project: Project) -> None:
    assert spec_text(detect(project(SIMPLE), {}, running="3.12")) == EXPECTED


def test_hostile_names_arrive_as_they_are(project: Project) -> None:
    code = FASTAPI + 'import os\nA = os.environ["MODEL_PATH"]\nB = int(os.environ.get("MAX_BODY_BYTES", 3 << 20))\n'
    path = "we: ights/#1 $HOME \"q' %s.safetensors"
    root = project({"app.py": code, "requirements.txt": "gunicorn\ntorch\n", path: WEIGHTS})
    write_spec(root, detect(root, {"health": "/he: #alth"}))
    spec = load_spec(root).spec
    ((name, model),) = spec.models.items()
    assert model.path == path
    assert spec.services["web"].health == "/he: #alth"
    assert spec.services["web"].max_body_bytes == 3 * 1024**2
    assert spec.services["web"].env["MODEL_PATH"] == EnvValue(of=name, fact="path")


def test_another_file_is_kept(project: Project) -> None:
    root = project(SIMPLE | {"mlpack.yaml": "mine\n"})
    detected = detect(root, {})
    with pytest.raises(UsageError, match="--force"):
        write_spec(root, detected)
    assert (root / "mlpack.yaml").read_text() == "mine\n"
    write_spec(root, detected, force=True)
    assert load_spec(root).spec.name == "shop"
    write_spec(root, detected)  # writing the same again changes nothing, so it needs no force


def test_an_answer_that_cannot_be_meant_writes_nothing(project: Project) -> None:
    root = project(SIMPLE)
    with pytest.raises(SpecError, match="endpoint"):
        write_spec(root, detect(root, {"endpoint": "sync"}))
    assert sorted(path.name for path in root.iterdir()) == ["app.py", "requirements.txt", "weights"]


def test_a_conda_environment_is_one(project: Project) -> None:
    root = project(SIMPLE | {"environment.yml": "dependencies: [python=3.11]\n"})
    write_spec(root, detect(root, {"requirements": "environment.yml", "server": "gunicorn", "runtime": "torch"}))
    build = load_spec(root).spec.build
    assert (build.conda, build.requirements) == ("environment.yml", None)
