"""Ordinary deployments of no fault: what a rule must not say, or not in these words. Each was said once, and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.audit import audit, read_deployment

QUEUE = """\
services:
  web: {image: "shop:1", command: gunicorn app:app, environment: {CELERY_BROKER_URL: "{broker}"}}
  worker: {image: "shop:1", command: celery -A tasks worker}
  rabbit: {image: "rabbitmq:3-management"}
  results: {image: "redis:7", ports: ["6379:6379"], command: redis-server --maxmemory-policy allkeys-lru}
"""
SHARED = """\
services:
  web: {build: ., command: gunicorn app:app{web}}
  board: {build: ., command: celery -A tasks flower{board}}
"""


def found(folder: Path, compose: str, dockerfile: str | None = None) -> dict[tuple[str, str | None], str]:
    """(rule, service) of every finding -> why."""
    file = folder / "compose.yaml"
    file.write_text(compose)
    if dockerfile is not None:
        (folder / "Dockerfile").write_text(dockerfile)
        (folder / ".dockerignore").write_text(".git\n")
    return {(one.rule, one.service): one.because for one, _ in audit(read_deployment((file,), None))}


def with_broker(url: str) -> str:
    """The deployment with its queue at ``url``."""
    return QUEUE.replace("{broker}", url)


@pytest.mark.parametrize("url", ["amqp://guest:guest@rabbit:5672//", "amqp://rabbit"])
def test_a_store_of_results_is_no_queue(tmp_path: Path, url: str) -> None:
    said = found(tmp_path, with_broker(url))
    assert said.get(("broker", "results")) == "who reaches the port reads, changes and deletes whatever is kept there"
    assert not [why for (rule, _), why in said.items() if rule == "broker" and "queue" in why]


@pytest.mark.parametrize("url", ["redis://:pw@results:6379/0", "${BROKER_URL}", "redis://elsewhere.example:6379"])
def test_a_redis_that_may_be_the_queue_is_taken_for_it(tmp_path: Path, url: str) -> None:
    assert ("broker", "results") in found(tmp_path, with_broker(url))
    kept = [one.because for one, _ in audit(read_deployment((tmp_path / "compose.yaml",), None))]
    assert "when memory is short Redis throws away queued tasks" in kept
    assert "who reaches the port can run tasks; pickle or not, that is your workers" in kept


def test_a_cache_that_no_worker_uses_runs_no_tasks(tmp_path: Path) -> None:
    compose = 'services: {cache: {image: "redis:7", ports: ["6379:6379"]}}\n'
    assert found(tmp_path, compose) == {
        ("broker", "cache"): "who reaches the port reads, changes and deletes whatever is kept there"
    }


@pytest.mark.parametrize(
    "base",
    [
        *(
            "nginx:1.27-alpine",
            "docker.io/library/postgres:17",
            "pytorch/torchserve:0.12.0-cpu",
            "prom/prometheus:v3.5.0",
        ),
        *("bitnami/redis:7.4", "gcr.io/distroless/python3-debian12:nonroot", "mambaorg/micromamba:2.0.5"),
    ],
)
def test_an_image_with_a_user_of_its_own_is_not_root(tmp_path: Path, base: str) -> None:
    compose = "services: {edge: {build: .}}\n"
    assert found(tmp_path, compose, f"FROM {base}\nCOPY edge.conf /etc/\n") == {}
    assert ("runs-as-root", "edge") in found(tmp_path, compose, f"FROM {base}\nUSER root\nCOPY edge.conf /etc/\n")


@pytest.mark.parametrize(
    "base", ["python:3.11-slim-bookworm", "tiangolo/uvicorn-gunicorn:python3.11", "me/nginx-tools:1"]
)
def test_others_are(tmp_path: Path, base: str) -> None:
    assert ("runs-as-root", "edge") in found(tmp_path, "services: {edge: {build: .}}\n", f"FROM {base}\nCOPY a /b\n")


@pytest.mark.parametrize(
    ("web", "board", "named"),
    [("", "", "web"), (', user: "1000"', "", "board"), ("", ', user: "1000"', "web"), (", user: root", "", "web")],
)
def test_of_an_image_that_several_use_one_that_is_root_is_named(
    tmp_path: Path, web: str, board: str, named: str
) -> None:
    compose = SHARED.replace("{web}", web).replace("{board}", board)
    said = found(tmp_path, compose, "FROM python:3.11-slim-bookworm\nCOPY . .\n")
    assert [service for rule, service in said if rule == "runs-as-root"] == [named]


def test_an_image_that_nobody_runs_as_root_is_not_blamed(tmp_path: Path) -> None:
    compose = SHARED.replace("{web}", ", user: app").replace("{board}", ', user: "1000"')
    said = found(tmp_path, compose, "FROM python:3.11-slim-bookworm\nCOPY . .\n")
    assert [service for rule, service in said if rule == "runs-as-root"] == []


def test_who_loads_no_model_has_no_loader(tmp_path: Path) -> None:
    said = found(tmp_path, "services: {board: {build: ., command: mlflow server}}\n", "FROM python:3.11-slim\nRUN a\n")
    assert said[("runs-as-root", "board")].startswith("whoever breaks into it is root")


@pytest.mark.parametrize(
    "name",
    ["NEXT_PUBLIC_BACKEND_URL", "REACT_APP_API_BASE", "VITE_API_BASE_URL", "OLLAMA_ORIGINS", "BACKEND_URL_CORS"],
)
def test_what_a_browser_reads_may_say_localhost(tmp_path: Path, name: str) -> None:
    compose = 'services: {page: {image: "page:1", environment: {NAME: "http://localhost:8000"}}}\n'
    assert found(tmp_path, compose.replace("NAME", name)) == {}
    assert ("localhost", "page") in found(tmp_path, compose.replace("NAME", "BACKEND_URL"))


def test_localhost_of_a_shared_network_is_not_its_own(tmp_path: Path) -> None:
    compose = 'services: {api: {image: "api:1", MODEenvironment: {REDIS_URL: "redis://localhost:6379"}}}\n'
    assert found(tmp_path, compose.replace("MODE", 'network_mode: "service:vpn", ')) == {}
    assert ("localhost", "api") in found(tmp_path, compose.replace("MODE", ""))


def test_a_program_that_another_stage_hands_over_is_there(tmp_path: Path) -> None:
    compose = 'services: {web: {build: ., user: app, healthcheck: {test: "curl -f http://localhost:8000"}}}\n'
    slim = "FROM python:3.11-slim-bookworm\n"
    handed = slim + "COPY --from=curlimages/curl:8.17.0 /usr/bin/curl /usr/local/bin/curl\n"
    assert found(tmp_path, compose, handed) == {}
    assert ("health-cannot-run", "web") in found(tmp_path, compose, slim + "RUN pip install flask\n")


@pytest.mark.parametrize(("library", "told"), [("torch", True), ("tensorflow", False)])
def test_only_torch_is_told_what_torch_does(tmp_path: Path, library: str, told: bool) -> None:
    (tmp_path / "requirements.txt").write_text(f"{library}\n")
    compose = """services:
  web:
    {build: ., user: app, command: gunicorn a:b, environment: {MKL_NUM_THREADS: 1, OMP_NUM_THREADS: 4}}
"""
    said = found(tmp_path, compose, "FROM python:3.11-slim-bookworm\nCOPY requirements.txt /\n")
    assert (("mkl-beats-omp", "web") in said) is told


@pytest.mark.parametrize(
    ("image", "floats"),
    [
        ("redis", True),
        ("redis:latest", True),
        ("mirror.example.org:5000/team/redis", True),
        ("redis:alpine", True),
        ("redis:7.4", False),
        ("shop:staging", False),
        ("mirror.example.org:5000/team/redis:7", False),
        ("redis@sha256:" + "0" * 64, False),
        ("redis:${REDIS_VERSION}", False),
        ("shop", False),
    ],
)
def test_an_image_that_is_pulled_has_a_version(tmp_path: Path, image: str, *, floats: bool) -> None:
    """One that a service builds is pulled by none, whatever it is called."""
    compose = f"services:\n  web: {{build: ., image: shop}}\n  other: {{image: '{image}'}}\n"
    assert (("base-unpinned", "other") in found(tmp_path, compose)) is floats


@pytest.mark.parametrize(
    ("reserved", "number", "hidden"),
    [
        ("device_ids: ['1']", "1", True),
        ("count: 1", "1", True),
        ("device_ids: ['1']", "0", False),
        ("device_ids: ['2', '3']", "0,1", False),
        ("device_ids: ['2', '3']", "2,3", True),
        ("count: all", "3", False),
        ("device_ids: ['1']", "GPU-5f1c", False),
    ],
)
def test_a_container_numbers_its_cards_from_0(tmp_path: Path, reserved: str, number: str, *, hidden: bool) -> None:
    compose = (
        "services:\n  web:\n    image: 'shop:1'\n"
        f"    environment: {{CUDA_VISIBLE_DEVICES: '{number}'}}\n"
        "    deploy: {resources: {reservations: {devices: [{driver: nvidia, capabilities: [gpu], "
        f"{reserved}}}]}}}}}}\n"
    )
    assert (("gpu-hidden", "web") in found(tmp_path, compose)) is hidden
