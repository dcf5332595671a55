"""What cannot be found is asked for: every flag in one error, with the candidates; answers are believed, or refused."""

from __future__ import annotations

import pytest

from mlpack.errors import ExitCode, UsageError
from mlpack.init import detect

from .conftest import FASTAPI, SIMPLE, WEIGHTS, Project


def asked(text: str) -> set[str]:
    """The flags that an error asks for."""
    return {line.split(":")[0].strip().removeprefix("--") for line in text.splitlines() if line.startswith("    --")}


def test_an_empty_folder_asks_for_everything_at_once(project: Project) -> None:
    with pytest.raises(UsageError) as raised:
        detect(project({"README.md": "hello"}), {})
    assert asked(str(raised.value)) == {"app", "server", "health", "model", "requirements"}
    assert raised.value.exit_code == ExitCode.USAGE


def test_candidates_are_named(project: Project) -> None:
    root = project(
        SIMPLE
        | {
            "admin.py": FASTAPI,
            "weights/b.safetensors": WEIGHTS,
            "requirements.txt": "fastapi\ngunicorn\ntorch\ntransformers\n",
            "Dockerfile": "EXPOSE 5000\nEXPOSE 6000\n",
            "work.py": "from app import app\n@app.post('/slow')\nasync def slow(): ...\n",
        }
    )
    with pytest.raises(UsageError) as raised:
        detect(root, {})
    said = str(raised.value)
    assert asked(said) == {"app", "model", "port", "endpoint"}
    assert "found admin:app (admin.py:2), app:app (app.py:2)" in said
    assert "found weights/b.safetensors, weights/unet.safetensors" in said
    assert "found 5000 (Dockerfile), 6000 (Dockerfile)" in said
    with pytest.raises(UsageError) as raised:
        detect(root, {"app": "app:app", "model": "weights/b.safetensors", "port": "5000", "endpoint": "def"})
    assert asked(str(raised.value)) == {"runtime"}
    assert "may be served by torch or transformers" in str(raised.value)
    answers = {"app": "app:app", "model": "weights/b.safetensors", "port": "5000", "endpoint": "def"}
    detected = detect(root, answers | {"runtime": "torch"})
    assert (detected.app, detected.interface, detected.port) == ("app:app", "asgi", 5000)
    assert [model.path for model in detected.models] == ["weights/b.safetensors"]


def test_several_models_can_be_named(project: Project) -> None:
    root = project(SIMPLE | {"weights/b.safetensors": WEIGHTS, "other/b.safetensors": WEIGHTS})
    models = detect(root, {"model": "weights/b.safetensors, other/b.safetensors, hub:me/Big-Model"}).models
    assert [(model.name, model.path or model.hub) for model in models] == [
        ("b", "weights/b.safetensors"),
        ("b-2", "other/b.safetensors"),
        ("big-model", "me/Big-Model"),
    ]
    assert detect(root, {"model": "none"}).models == ()


def test_a_factory_that_wants_values_is_asked_about(project: Project) -> None:
    code = "from flask import Flask\ndef create_app(config):\n    return Flask('a')\n"
    with pytest.raises(UsageError, match=r"--app: no app|--app: found app:create_app\(\.\.\.\)"):
        detect(project(SIMPLE | {"app.py": code}), {"health": "/h"})


def test_without_requirements_the_near_ones_are_named(project: Project) -> None:
    files = {key: value for key, value in SIMPLE.items() if key != "requirements.txt"}
    root = project(files | {"dev-requirements.txt": "pytest\n"})
    with pytest.raises(UsageError) as raised:
        detect(root, {"server": "gunicorn", "runtime": "torch"})
    assert "--requirements: found dev-requirements.txt" in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"prot": "1"}, "init does not ask for prot"),
        ({"port": "http"}, "'http' is no port"),
        ({"port": "99999"}, "'99999' is no port"),
        ({"server": "apache"}, "init cannot set up 'apache'"),
        ({"interface": "cgi"}, "'cgi' is no interface"),
        ({"model": "weights/no.pt"}, "does not exist"),
        ({"model": "../a.pt"}, "climbs out"),
        ({"model": "hub:x"}, "is no hub name"),
        ({"requirements": "no.txt"}, "there is no file 'no.txt'"),
        ({"app": "no:app"}, "there is no module 'no'"),
    ],
)
def test_answers_that_cannot_be(project: Project, answer: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        detect(project(SIMPLE), answer)
    assert said in str(raised.value)
