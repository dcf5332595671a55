"""The programs that are rendered: library check, health check, deploy.sh; each run for real, in a made-up world."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.artifacts import write_files
from tests.plans import embedding_plan, embedding_spec, plan_of, service_plan

from mlpack.plan import Plan
from mlpack.process import Completed, run
from mlpack.spec import Volume


def program(path: Path, text: str) -> None:
    """A stand-in for a program of the system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


# --- check_image.py


LDD = {
    "fine.so": "\tlibc.so.6 => /lib/libc.so.6 (0x1)",
    "trees.so": "\tlibgomp.so.1 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x1)",
    "view.so": "\tlibGL.so.1 => not found\n\tlibxcb.so.1 => not found",
    "torch.so": "\tlibtorch_cpu.so => not found\n\tlibcuda.so.1 => not found\n\tlibnvidia-ml.so.1 => not found",
    "plugin.so": "\tlibnvinfer.so.10 => not found",
    "alien.so": "\tnot a dynamic executable",
}


def check_image(tmp_path: Path, *names: str, programs: tuple[str, ...] = (), ignore: str = "") -> Completed:
    """Runs the check over an environment that holds ``names``, with an `ldd` that answers as LDD says."""
    folder = write_files(embedding_plan(), tmp_path)
    site = tmp_path / "venv/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    for name in (*names, "libtorch_cpu.so"):
        (site / name).write_bytes(b"\x7fELF")
    program(tmp_path / "venv/bin/gunicorn", "#!/bin/sh\n")
    answers = "".join(f"  */{name}) echo '{text}' ;;\n" for name, text in LDD.items())
    body = f'#!/bin/sh\nfor file; do echo "$file:"; case $file in\n{answers}esac; done\n'
    program(tmp_path / "bin/ldd", body)
    environ = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "MLPACK_IGNORE_LIBRARIES": ignore}
    argv = [sys.executable, str(folder / "check_image.py"), str(tmp_path / "venv"), *programs]
    return run(argv, env=environ, check=False)


def test_a_missing_library_is_named_with_its_package_and_the_line_to_write(tmp_path: Path) -> None:
    said = check_image(tmp_path, "trees.so", "view.so", "fine.so")
    assert said.code == 1
    assert "trees.so wants libgomp.so.1, which Debian's package libgomp1 brings" in said.stdout
    assert "build: {apt: [libgl1, libgomp1, libxcb1]}" in said.stdout


@pytest.mark.parametrize("name", ["fine.so", "torch.so", "plugin.so", "alien.so"])
def test_no_false_alarm(name: str, tmp_path: Path) -> None:
    """Libraries of the environment itself, of the driver, and of optional plug-ins may stay unresolved."""
    said = check_image(tmp_path, name, programs=("gunicorn",))
    assert said.code == 0, said.stdout
    assert ("libnvinfer.so.10" in said.stdout) == (name == "plugin.so"), "unknown ones are mentioned"


def test_missing_libraries_may_be_ignored(tmp_path: Path) -> None:
    assert check_image(tmp_path, "trees.so", ignore="libfoo.so,libgomp.so.1").code == 0


def test_a_missing_server_is_named(tmp_path: Path) -> None:
    said = check_image(tmp_path, "fine.so", programs=("gunicorn", "celery"))
    assert said.code == 1
    assert "`celery`" in said.stdout
    assert "`gunicorn`" not in said.stdout


# --- healthcheck.py


@contextmanager
def service(status: int) -> Iterator[int]:
    """An HTTP server that answers ``status``; yields its port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"you asked {self.path}".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def health(tmp_path: Path, port: int) -> Completed:
    folder = write_files(embedding_plan(), tmp_path)
    argv = [sys.executable, "-I", "-S", str(folder / "healthcheck.py"), str(port), "/health?x=1", "4.5"]
    return run(argv, check=False)


@pytest.mark.parametrize(("status", "code"), [(200, 0), (204, 0), (503, 1), (404, 1), (302, 1)])
def test_health_is_2xx(status: int, code: int, tmp_path: Path) -> None:
    with service(status) as port:
        said = health(tmp_path, port)
    assert said.code == code
    assert (str(status) in said.stdout) == (code == 1), "a failure says why, success says nothing"


def test_health_without_anyone_there(tmp_path: Path) -> None:
    with service(200) as port:
        pass
    said = health(tmp_path, port)
    assert said.code == 1
    assert f"no answer from port {port}" in said.stdout


# --- deploy.sh


DOCKER = """#!/bin/sh
echo "$@" >>"$CALLS"
case "$*" in
  "version --format"*) echo "{engine}" ;;
  "compose version"*) echo "{compose}" ;;
  "info --format"*) echo {memory} ;;
  *" up "*) exit {up} ;;
esac
"""


def deploy(
    tmp_path: Path,
    *words: str,
    engine: str = "26.1.5+dfsg1",
    compose: str = "2.26.1-4",
    memory: int = 8 << 30,
    up: int = 0,
    plan: Plan | None = None,
    weights: bool = True,
) -> tuple[Completed, list[str]]:
    """Runs deploy.sh in a project with a `docker` that says ``engine``, ...; returns what docker was asked, too."""
    project = tmp_path / "a project"
    folder = write_files(plan or embedding_plan(), project)
    if weights:
        (project / "weights/all-minilm-l6-v2").mkdir(parents=True)
        (project / "weights/all-minilm-l6-v2/model.safetensors").write_bytes(b"x")
    program(tmp_path / "bin/docker", DOCKER.format(engine=engine, compose=compose, memory=memory, up=up))
    calls = tmp_path / "calls"
    environ = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "CALLS": str(calls)}
    said = run([str(folder / "deploy.sh"), *words], env=environ, cwd=tmp_path, check=False)
    return said, calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []


def test_up_prepares_and_waits(tmp_path: Path) -> None:
    said, calls = deploy(tmp_path, "up")
    assert said.code == 0, said.stderr
    assert (tmp_path / "a project/logs").stat().st_uid == os.getuid(), "its owner is mlpack-folders' to set"
    assert "compose --file compose.yaml up --detach --build --remove-orphans --wait --wait-timeout 116" in calls


def test_the_users_override_comes_last(tmp_path: Path) -> None:
    program(tmp_path / "a project/deploy/prod/compose.override.yaml", "services: {}\n")
    program(tmp_path / "a project/deploy/prod/compose.gpu.yaml", "services: {}\n")
    program(tmp_path / "bin/nvidia-smi", "#!/bin/sh\necho 'GPU 0: NVIDIA A10G'\n")
    _, calls = deploy(tmp_path)
    assert calls[-1] == "compose --file compose.yaml --file compose.gpu.yaml --file compose.override.yaml ps"


def test_no_card_no_gpu_file(tmp_path: Path) -> None:
    program(tmp_path / "a project/deploy/prod/compose.gpu.yaml", "services: {}\n")
    program(tmp_path / "bin/nvidia-smi", "#!/bin/sh\necho 'No devices were found'; exit 6\n")
    _, calls = deploy(tmp_path)
    assert calls[-1] == "compose --file compose.yaml ps"


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ({"engine": "24.0.9"}, "Docker engine 24.0.9 is too old: 25.0 or newer"),
        ({"compose": "v2.20.1"}, "Compose v2.20.1 is too old: 2.20.2 or newer"),
        ({"compose": "v2.9.0"}, "too old"),
        ({"compose": 'none"; exit 125; echo "'}, "compose plugin is not installed: docker-compose-plugin"),
        ({"memory": 512 << 20}, "the limits add up to 867 MiB, the engine has 512"),
        ({"weights": False}, "weights are missing: ../../weights/all-minilm-l6-v2"),
    ],
)
def test_refuses_clearly_and_starts_nothing(world: dict[str, int], message: str, tmp_path: Path) -> None:
    said, calls = deploy(tmp_path, "up", **world)  # type: ignore[arg-type]
    assert said.code == 1
    assert message in said.stderr
    assert not any(" up " in call for call in calls)


@pytest.mark.parametrize("compose", ["2.20.2", "v2.26.1", "2.100.0", "5.0.1", "v3.0.0-rc.1"])
def test_newer_versions_are_new_enough(compose: str, tmp_path: Path) -> None:
    said, _ = deploy(tmp_path, "status", compose=compose)
    assert said.code == 0, said.stderr


def test_weights_that_containers_cannot_read(tmp_path: Path) -> None:
    model = tmp_path / "a project/weights/all-minilm-l6-v2/secret.bin"
    program(model, "x")
    model.chmod(0o600)
    (model.parent / "model.safetensors").write_bytes(b"x")
    said, _ = deploy(tmp_path, "check", weights=False)
    assert said.code == 1
    assert "cannot read ../../weights/all-minilm-l6-v2/secret.bin" in said.stderr
    assert "chmod -R o+rX" in said.stderr


def test_a_start_that_fails_is_a_failure(tmp_path: Path) -> None:
    said, calls = deploy(tmp_path, "up", up=1)
    assert said.code == 1
    assert "logs" in said.stderr
    shown = calls.index("compose --file compose.yaml ps --all")
    assert calls[shown + 1 :] == ["compose --file compose.yaml ps --all --quiet"], "then whose last lines to print"


def test_unknown_commands(tmp_path: Path) -> None:
    said, calls = deploy(tmp_path, "destroy")
    assert said.code == 1
    assert "destroy" in said.stderr
    assert not calls


def test_down_never_removes_volumes(tmp_path: Path) -> None:
    _, calls = deploy(tmp_path, "down")
    assert calls[-1] == "compose --file compose.yaml down --remove-orphans"


def test_hostile_folder_names(tmp_path: Path) -> None:
    name = "it's $HOME `id`/-logs"
    spec = embedding_spec(volumes={"cache": Volume(), "logs": Volume(path=name)})
    said, _ = deploy(tmp_path, "check", plan=plan_of(spec, {"web": service_plan()}))
    assert said.code == 0, said.stderr
    assert (tmp_path / "a project" / name).is_dir()
