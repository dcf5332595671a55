"""What init finds in projects of different kinds, and that nothing of them is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.errors import UsageError
from mlpack.init import Detected, detect

from .conftest import FASTAPI, SIMPLE, WEIGHTS, Project


def found(root: Path, **answers: str) -> Detected:
    return detect(root, answers, running="3.12")


def test_a_simple_project(project: Project) -> None:
    detected = found(project(SIMPLE))
    assert (detected.name, detected.app, detected.interface) == ("shop", "app:app", "asgi")
    assert (detected.server, detected.endpoint, detected.port) == ("gunicorn", "def", 8000)
    assert (detected.health, detected.requirements, detected.python) == ("/health", "requirements.txt", "3.12")
    (model,) = detected.models
    assert (model.name, model.path, model.runtime) == ("unet", "weights/unet.safetensors", "torch")


def test_nothing_is_run(project: Project) -> None:
    root = project(SIMPLE | {"app.py": FASTAPI + "\nopen('ran', 'w')\nraise SystemExit\n"})
    assert found(root).app == "app:app"
    assert not (root / "ran").exists()


@pytest.mark.parametrize(
    ("files", "app", "interface"),
    [
        ({"app.py": "import flask\napp = flask.Flask(__name__)\n"}, "app:app", "wsgi"),
        ({"app.py": "from flask import Flask as F\nweb: F = F(__name__)\n"}, "app:web", "wsgi"),
        ({"a/__init__.py": "", "a/main.py": "from fastapi import FastAPI\napi = FastAPI()\n"}, "a.main:api", "asgi"),
        ({"a/__init__.py": "from fastapi import FastAPI\napi = FastAPI()\n"}, "a:api", "asgi"),
        (
            {"app.py": "from flask import Flask\ndef create_app(x=1):\n    app = Flask('a')\n    return app\n"},
            "app:create_app()",
            "wsgi",
        ),
        (
            {
                "a/web.py": "from fastapi import FastAPI\ndef make():\n    return FastAPI()\n",
                "a/main.py": "from .web import make\napp = make()\n",
            },
            "a.main:app",
            "asgi",
        ),
        (
            {"app.py": "try:\n    from starlette.applications import Starlette as S\nfinally: ...\nif 1:\n    s=S()\n"},
            "app:s",
            "asgi",
        ),
        (
            {
                "site/wsgi.py": "import django.core.wsgi\napplication = django.core.wsgi.get_wsgi_application()",
                "site/asgi.py": "from django.core.asgi import get_asgi_application as get\napplication = get()",
            },
            "site.wsgi:application",
            "wsgi",
        ),
    ],
)
def test_apps(project: Project, files: dict[str, str], app: str, interface: str) -> None:
    root = project({"requirements.txt": "gunicorn\ntorch\n", "unet.safetensors": WEIGHTS, **files})
    detected = found(root, health="/health")
    assert (detected.app, detected.interface) == (app, interface)


@pytest.mark.parametrize(
    "skipped", [".venv/lib/app.py", "venv/app.py", "tests/app.py", "test_app.py", "deploy/x/app.py", "my-app.py"]
)
def test_apps_of_other_folders_are_not_the_project_s(project: Project, skipped: str) -> None:
    assert found(project(SIMPLE | {skipped: FASTAPI})).app == "app:app"


def test_an_app_made_only_when_run_as_a_script_is_not_served(project: Project) -> None:
    with pytest.raises(UsageError, match=r"--app: no app"):
        found(
            project(SIMPLE | {"app.py": "from flask import Flask\nif __name__ == '__main__':\n    app = Flask('a')\n"})
        )


@pytest.mark.parametrize(
    ("requirements", "server"),
    [
        ("gunicorn\nuvicorn\n", "gunicorn"),
        ("uvicorn[standard]>=0.30\n", "uvicorn"),
        ("fastapi[standard]\n", "uvicorn"),
        ("-r more.txt\n", "uvicorn"),
        ("Gunicorn==27.0 ; python_version > '3' # the server\n", "gunicorn"),
    ],
)
def test_servers_by_requirements(project: Project, requirements: str, server: str) -> None:
    root = project(SIMPLE | {"requirements.txt": requirements, "more.txt": "uvicorn\n"})
    assert found(root, runtime="torch").server == server


@pytest.mark.parametrize(
    ("more", "port"),
    [
        ({"run.py": "import uvicorn\nPORT = 9000\nuvicorn.run('app:app', port=PORT)\n"}, 9000),
        ({"run.py": "import os, uvicorn\nuvicorn.run('a:b', port=int(os.environ.get('PORT', '8080')))\n"}, 8080),
        ({"Dockerfile": "FROM python:3.12\nEXPOSE 5000\n"}, 5000),
        ({"Dockerfile": 'FROM x\nCMD ["gunicorn", "--bind", "0.0.0.0:7000", "app:app"]\n'}, 7000),
        ({"gunicorn.conf.py": 'bind = "0.0.0.0:6000"\n'}, 6000),
        ({"Dockerfile": "EXPOSE 5000\n", "run.py": "import uvicorn\nuvicorn.run('a:b', port=5000)\n"}, 5000),
    ],
)
def test_ports(project: Project, more: dict[str, str], port: int) -> None:
    assert found(project(SIMPLE | more)).port == port


@pytest.mark.parametrize(
    ("routes", "health"),
    [
        ('@app.get("/livez")\ndef a(): ...\n@app.get("/ready")\ndef b(): ...\n', "/ready"),
        ('@app.get("/api/v1/health")\ndef a(): ...\n', "/api/v1/health"),
        ('@app.route("/healthz")\ndef a(): ...\n', "/healthz"),
        (
            'from fastapi import APIRouter\nr = APIRouter(prefix="/api")\n@r.get("/health")\ndef a(): ...\n',
            "/api/health",
        ),
    ],
)
def test_health_routes(project: Project, routes: str, health: str) -> None:
    code = f"from fastapi import FastAPI\napp = FastAPI()\n{routes}"
    assert found(project(SIMPLE | {"app.py": code})).health == health


def test_a_health_route_below_an_unknown_prefix_is_asked_for(project: Project) -> None:
    code = (
        "from fastapi import FastAPI, APIRouter\napp = FastAPI()\nr = APIRouter()\n"
        '@r.get("/health")\ndef a(): ...\napp.include_router(r, prefix="/v1")\n'
    )
    with pytest.raises(UsageError, match="--health"):
        found(project(SIMPLE | {"app.py": code}))


@pytest.mark.parametrize(
    ("files", "path", "runtime"),
    [
        ({"m/config.json": "{}", "m/model.safetensors": WEIGHTS, "m/tokenizer.json": "{}"}, "m", "transformers"),
        ({"m/saved_model.pb": b"x", "m/variables/variables.index": b"x"}, "m", "tensorflow"),
        ({"trees.txt": "tree\nversion=v4\n", "notes.txt": "tree of knowledge\n"}, "trees.txt", "lightgbm"),
        ({"weights/knee $v2.safetensors": WEIGHTS}, "weights/knee $v2.safetensors", "torch"),
    ],
)
def test_models(project: Project, files: dict[str, str | bytes], path: str, runtime: str) -> None:
    requirements = {"transformers": "transformers", "tensorflow": "tensorflow", "lightgbm": "lightgbm"}.get(
        runtime, "torch"
    )
    root = project({"app.py": FASTAPI, "requirements.txt": f"gunicorn\n{requirements}\n", **files})
    (model,) = found(root).models
    assert (model.path, model.runtime) == (path, runtime)


def test_a_linked_model_file_is_found(project: Project, tmp_path: Path) -> None:
    root = project({key: value for key, value in SIMPLE.items() if "unet" not in key})
    (tmp_path / "unet.safetensors").write_bytes(WEIGHTS)
    (root / "unet.safetensors").symlink_to(tmp_path / "unet.safetensors")
    assert found(root).models[0].path == "unet.safetensors"


def test_variables_that_ask_for_facts(project: Project) -> None:
    code = FASTAPI + (
        "import os\nfrom os import environ\n"
        'A = os.environ["MODEL_PATH"]\nB = int(os.getenv("APP_CONCURRENCY", "2"))\n'
        'C = int(environ.get("MAX_UPLOAD_BYTES", 8 * 1024 * 1024))\nD = os.environ.get("LOG_LEVEL")\n'
        'E = os.environ["API_KEY"]\nF = os.environ.get("MAX_UPLOAD_MB", 8)\nG = os.environ["MODEL_DIR"]\n'
        'H = os.environ["OMP_NUM_THREADS"]\n'
    )
    detected = found(project(SIMPLE | {"app.py": code}))
    assert detected.env == {
        "APP_CONCURRENCY": ("web", "concurrency"),
        "MAX_UPLOAD_BYTES": ("web", "max_body"),
        "MODEL_PATH": ("unet", "path"),
    }
    assert detected.max_body_bytes == 8 * 1024**2
    assert detected.also_reads == ("API_KEY (a secret)", "LOG_LEVEL", "MAX_UPLOAD_MB", "MODEL_DIR", "OMP_NUM_THREADS")


@pytest.mark.parametrize(
    ("files", "python"),
    [
        ({".python-version": "3.11.7\n"}, "3.11"),
        ({"Dockerfile": "FROM python:3.10-slim AS build\n"}, "3.10"),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.10"\n'}, "3.12"),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.9,<3.12"\n'}, "3.11"),
        ({"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.13"\n'}, "3.13"),
        ({"pyproject.toml": "not [ toml"}, "3.12"),
        ({}, "3.12"),
    ],
)
def test_python_versions(project: Project, files: dict[str, str], python: str) -> None:
    assert found(project(SIMPLE | files)).python == python


def test_names_come_from_pyproject_and_fit_the_spec(project: Project) -> None:
    assert found(project(SIMPLE | {"pyproject.toml": '[project]\nname = "My_App.Server"\n'})).name == "my-app-server"


def test_limits_that_the_code_states(project: Project) -> None:
    code = FASTAPI + (
        "from pydantic import BaseModel, Field\nfrom typing import Annotated\nMOST = 4 * 2\n"
        "class Body(BaseModel):\n"
        "    texts: Annotated[list[str], Field(max_length=MOST)]\n    name: str = Field(max_length=9)\n"
        "tokenizer = None\ndef cut(x):\n    return tokenizer(x, truncation=True, max_length=128)\n"
    )
    files: dict[str, str | bytes] = {"app.py": code, "requirements.txt": "gunicorn\ntransformers\n"}
    folder: dict[str, str | bytes] = {
        "m/config.json": '{"max_position_embeddings": 512}',
        "m/model.safetensors": WEIGHTS,
    }
    (model,) = found(project({**files, **folder})).models
    assert (model.tokens, model.batch) == (128, 8)


def test_tokens_that_the_model_states(project: Project) -> None:
    folder: dict[str, str | bytes] = {
        "m/config.json": '{"max_position_embeddings": 514}',
        "m/model.safetensors": WEIGHTS,
        "m/tokenizer_config.json": '{"model_max_length": 1000000000000000019884624838656}',
    }
    (model,) = found(project({"app.py": FASTAPI, "requirements.txt": "gunicorn\ntransformers\n", **folder})).models
    assert (model.tokens, model.batch, model.why) == (514, None, "m/config.json")


@pytest.mark.parametrize(
    "code",
    [
        "def f(:\n",
        "\x00",
        b"\xff\xfe",
        "a" + ".a" * 3000 + "()\n",
        "X = " + "1 + " * 3000 + "1\n",
        "X = " + "(" * 150 + ")" * 150,
        "X = 9 ** 9 ** 9 ** 9\n",
        "import os\nos.environ[0]\nos.environ.get()\nos.getenv(x)\n",
        "@app.get()\n@app.route(methods=x)\n@app.post(path=3)\n@a[0].get('/x')\ndef f(): ...\n",
        "from . import *\nfrom ......x import y\n",
        "app: FastAPI\nx = y = z = FastAPI\na.b = FastAPI()\n",
        "class A(BaseModel):\n    a: list\n    b: Annotated\n    c: list[int] = Field(max_length=x)\n",
    ],
    ids=lambda code: repr(code)[:20],
)
def test_code_that_is_odd_is_passed_by(project: Project, code: str | bytes) -> None:
    assert found(project(SIMPLE | {"odd.py": code})).app == "app:app"
