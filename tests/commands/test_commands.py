"""Every command end to end without a container: its output, its exit code, and what bad input gets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands.conftest import Command

from mlpack.host import HostFacts
from mlpack.plan import Plan

pytestmark = pytest.mark.slow

HOSTS = Path(__file__).parent.parent / "hosts"
SMALL_HOST = json.loads((HOSTS / "ci-2c-24g.json").read_text())


def test_probe_json_is_host_facts(mlpack: Command) -> None:
    done = mlpack("probe", "--json")
    assert done.returncode == 0, done.stderr
    facts = HostFacts.model_validate_json(done.stdout)
    assert facts.engine is None
    assert any(unread.name == "engine" for unread in facts.unread)


def test_probe_table_names_what_is_usable(mlpack: Command) -> None:
    done = mlpack("probe")
    assert done.returncode == 0
    assert "usable here" in done.stdout


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (("x.bin", "--measure", "--set", "name=y"), "--measure, --set"),
        (("x.bin", "--in-container"), "--in-container"),
        (("--in-container", "--service", "web"), "--service, --in-container"),
        (("--python", "python3", "--profile", "dev"), "--profile, --python"),
    ],
)
def test_estimate_drops_no_option(mlpack: Command, words: tuple[str, ...], lost: str) -> None:
    done = mlpack("estimate", *words)
    assert done.returncode == 2
    assert f"{lost} would do nothing here" in done.stderr


def test_a_model_file_writes_nothing_to_the_terminal(mlpack: Command, project: Path) -> None:
    config = project / "weights/net/config.json"
    named = {**json.loads(config.read_text()), "architectures": ["\x1b]0;owned\x07\x1b[2JNet"]}
    config.write_text(json.dumps(named))
    done = mlpack("estimate", str(config.parent))
    assert done.returncode == 0, done.stderr
    assert "owned" in done.stdout
    assert "\x1b" not in done.stdout and "\x07" not in done.stdout


def test_estimate_paths_needs_no_spec(mlpack: Command, project: Path, tmp_path: Path) -> None:
    done = mlpack("estimate", str(project / "weights/net/model.safetensors"), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["parameters"] == 50_000
    assert row["dtypes"] == {"F32": {"parameters": 50_000, "bytes": 200_000}}


def test_estimate_of_a_path_heeds_what_is_said_of_its_largest_request(mlpack: Command, project: Path) -> None:
    """Activations grow with the batch, the sum with them; no reason names a key of an mlpack.yaml that is not there."""
    path = str(project / "weights/net")

    def asked(*words: str) -> tuple[int, int, list[str]]:
        done = mlpack("estimate", path, "--json", *words)
        assert done.returncode == 0, done.stderr
        (found,) = json.loads(done.stdout)
        requests = sum(region["bytes"] for region in found["footprint"]["regions"] if region["per"] == "request")
        return requests, found["together"]["peak_bytes"], found["footprint"]["widened"]

    few, small, said = asked("--tokens", "64")
    many, large, _ = asked("--tokens", "64", "--batch", "4")
    assert abs(many - 4 * few) <= 4  # each rounded to a byte
    assert large - small == many - few
    assert not any("--tokens" in reason for reason in said)
    _, _, unsaid = asked()
    assert any("--tokens is not given" in reason for reason in unsaid)
    assert not any("models." in reason for reason in unsaid + said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--shape", "3,a"), "is no list of sizes"),
        (("--shape", ""), "is no list of sizes"),
        (("--shape", "0,2"), "is no list of sizes"),
        (("--dtype", "fp7"), "one of: fp32, fp16, bf16"),
        (("--runtime", "toarch"), "one of: torch, transformers"),
        (("--runtime", "lightgbm"), "lightgbm does not run transformers"),
        (("--tokens", "0"), "--tokens"),
    ],
)
def test_estimate_says_what_is_wrong_with_an_option(
    mlpack: Command, project: Path, words: tuple[str, ...], said: str
) -> None:
    done = mlpack("estimate", str(project / "weights/net"), *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not done.stdout


def test_estimate_of_a_project_takes_the_request_from_its_file(mlpack: Command) -> None:
    done = mlpack("estimate", "--tokens", "64")
    assert done.returncode == 2
    assert "models.X.max_input" in done.stderr


def test_estimate_shows_the_sum_and_the_way_to_a_measurement(mlpack: Command, project: Path) -> None:
    done = mlpack("estimate", str(project / "weights/net"), "--tokens", "64")
    assert done.returncode == 0, done.stderr
    assert "together, with 1 request: " in done.stdout
    assert "under a limit of its own it needs" in done.stdout
    assert "mlpack estimate --measure" in done.stdout


def test_plan_for_another_machine(mlpack: Command) -> None:
    done = mlpack("plan", "prod", "--host", str(HOSTS / "server-64c-256g.json"), "--json")
    assert done.returncode == 0, done.stderr
    plan = Plan.model_validate_json(done.stdout)
    web = plan.services["web"]
    assert web.workers.value * web.concurrency.value * web.threads.value <= 64
    assert plan.budget.used_bytes <= plan.budget.usable_bytes.value


def test_explain_names_source_and_reason(mlpack: Command) -> None:
    host = str(HOSTS / "ci-2c-24g.json")
    done = mlpack("plan", "prod", "--host", host, "--explain", "services.web.workers")
    assert done.returncode == 0, done.stderr
    assert "services.web.workers" in done.stdout
    assert "calculated" in done.stdout
    assert "services.web.threads" not in done.stdout
    before = mlpack("plan", "--explain", "services.web.workers", "prod", "--host", host)
    assert before.stdout == done.stdout
    everything = mlpack("plan", "--explain", "prod", "--host", host, "--json")
    rows = {row["path"]: row for row in json.loads(everything.stdout)}
    assert {"services.web.workers", "services.web.threads", "budget.usable_bytes"} <= set(rows)
    assert rows["services.web.workers"]["source"] == "calculated"
    misspelt = mlpack("plan", "prod", "--host", host, "--explain", "services.web.wrokers")
    assert misspelt.returncode == 2
    assert "services.web.workers" in misspelt.stderr
    assert mlpack("plan", "--explain", "services.web.workers").returncode == 2


def render(mlpack: Command, *more: str) -> int:
    return mlpack("render", "prod", "--host", str(HOSTS / "ci-2c-24g.json"), *more).returncode


def test_render_check_edit_and_force(mlpack: Command, project: Path) -> None:
    assert mlpack("render", "prod", "--check").returncode == 2, "no lock yet"
    assert render(mlpack, "--dry-run") == 0
    assert not (project / "deploy").exists()
    assert render(mlpack) == 0
    before = {path: path.read_bytes() for path in (project / "deploy").rglob("*") if path.is_file()}
    assert mlpack("render", "prod", "--check").returncode == 0
    assert mlpack("render", "prod").returncode == 0
    assert before == {path: path.read_bytes() for path in (project / "deploy").rglob("*") if path.is_file()}

    compose = project / "deploy/prod/compose.yaml"
    compose.write_text(compose.read_text() + "# mine\n")
    assert mlpack("render", "prod", "--check").returncode == 1
    refused = mlpack("render", "prod")
    assert refused.returncode == 1
    assert "compose.yaml was edited" in refused.stderr
    assert compose.read_text().endswith("# mine\n")
    assert "# mine" in mlpack("render", "prod", "--diff").stdout
    assert mlpack("render", "prod", "--force").returncode == 0
    assert before[compose] == compose.read_bytes()


def test_check_names_the_input_that_changed(mlpack: Command, project: Path) -> None:
    assert render(mlpack) == 0
    (project / "mlpack.yaml").write_text((project / "mlpack.yaml").read_text().replace("port: 8000", "port: 8001"))
    done = mlpack("render", "prod", "--check", "--diff")
    assert done.returncode == 1
    assert "input mlpack.yaml changed" in done.stdout
    assert "8001" in done.stdout
    assert "mlpack render prod" in done.stderr


def test_check_needs_no_weights(mlpack: Command, project: Path) -> None:
    assert render(mlpack) == 0
    shutil.rmtree(project / "weights")
    done = mlpack("render", "prod", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_other_weights_are_not_the_locks(mlpack: Command, project: Path) -> None:
    from tests.commands.conftest import write_safetensors

    assert render(mlpack) == 0
    write_safetensors(project / "weights" / "net" / "model.safetensors", 60_000)
    done = mlpack("render", "prod", "--check")
    assert done.returncode == 1
    assert "is not the file that mlpack.lock describes" in done.stderr


def broken(project: Path, old: str, new: str) -> None:
    spec = project / "mlpack.yaml"
    assert old in spec.read_text()
    spec.write_text(spec.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("server: gunicorn", "server: gunicron", "did you mean `gunicorn`"),
        ("    port: 8000", "    prot: 8000", "did you mean `port`"),
        ("port: 8000", "port: eight", "mlpack.yaml:11"),
        ('python: "3.11"', "python: 3.10", "quotes"),
        ("models: [net]", "models: [nett]", "net"),
        ("path: weights/net,", "path: weights/absent,", "weights/absent is not here"),
        ("path: weights/net,", "path: ../outside,", "inside the project"),
    ],
)
def test_a_mistake_in_the_spec_has_its_place_and_its_cure(
    mlpack: Command, project: Path, old: str, new: str, expected: str
) -> None:
    broken(project, old, new)
    done = mlpack("plan", "prod", "--host", str(HOSTS / "ci-2c-24g.json"))
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "deploy").exists()


def test_no_spec(mlpack: Command, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = mlpack("plan", "prod", cwd=empty)
    assert done.returncode == 1
    assert "mlpack init" in done.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{}", "net/model.safetensors"),
        (b"not a model at all", "net/model.safetensors"),
    ],
)
def test_a_file_that_is_no_model(mlpack: Command, project: Path, content: bytes, expected: str) -> None:
    (project / "weights/net/model.safetensors").write_bytes(content)
    done = mlpack("plan", "prod", "--host", str(HOSTS / "ci-2c-24g.json"))
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_too_small_shows_the_sum_and_what_would_fit(mlpack: Command, tmp_path: Path) -> None:
    facts = HostFacts.model_validate(SMALL_HOST)
    memory = facts.memory.model_copy(update={"total_bytes": 1200 * 1024**2})
    engine = facts.engine.model_copy(update={"memory_bytes": 1200 * 1024**2}) if facts.engine else None
    host = tmp_path / "small.json"
    host.write_text(facts.model_copy(update={"memory": memory, "engine": engine}).to_json())
    done = mlpack("render", "prod", "--host", str(host))
    assert done.returncode == 1
    assert "interpreter and libraries" in done.stderr
    assert "MiB" in done.stderr
    assert "hint" in done.stderr


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("plan", "porduction"), 2),
        (("plan",), 2),
        (("frobnicate",), 2),
        (("render", "prod", "--host", "absent.json"), 1),
        (("verify", "prod"), 2),
        (("plan", "prod", "--set", "services.web.workers=none-at-all"), 1),
        (("estimate", "absent.safetensors"), 1),
    ],
)
def test_exit_codes_of_misuse(mlpack: Command, argv: tuple[str, ...], code: int) -> None:
    done = mlpack(*argv)
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_lock_is_said_and_left_alone(mlpack: Command, project: Path) -> None:
    assert render(mlpack) == 0
    lock = project / "deploy/prod/mlpack.lock"
    lock.write_text("{")
    for argv in (("render", "prod"), ("render", "prod", "--check"), ("verify", "prod")):
        done = mlpack(*argv)
        assert done.returncode == 2, done.stderr
        assert "mlpack.lock" in done.stderr
    assert lock.read_text() == "{"


def test_a_read_only_folder_loses_nothing(mlpack: Command, project: Path) -> None:
    (project / "deploy").write_text("a file where a folder should be")
    done = mlpack("render", "prod", "--host", str(HOSTS / "ci-2c-24g.json"))
    assert done.returncode == 1
    assert "deploy" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "deploy").read_text() == "a file where a folder should be"


def test_no_engine_is_transient(mlpack: Command) -> None:
    assert render(mlpack) == 0
    done = mlpack("verify", "prod", "--launcher", "compose")
    assert done.returncode == 75, done.stderr
    assert "--launcher process" in done.stderr


def test_version_and_help(mlpack: Command) -> None:
    assert mlpack("--version").stdout.startswith("mlpack ")
    shown = mlpack("--help").stdout
    for command in ("init", "probe", "estimate", "plan", "render", "verify"):
        assert command in shown


def test_a_reader_that_goes_away_is_no_failure(project: Path) -> None:
    command = f"{sys.executable} -m mlpack plan prod --explain --host {HOSTS / 'ci-2c-24g.json'}"
    script = f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=project, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_ctrl_c_says_so(project: Path) -> None:
    (project / "app.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(120)\n")
    argv = [sys.executable, "-m", "mlpack", "estimate", "--measure", "--python", sys.executable]
    environ = {**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    with subprocess.Popen(argv, cwd=project, env=environ, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "libraries" in line or "module" in line:
                break
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
    assert child.returncode == 130
    assert said.strip().endswith("mlpack: interrupted")
    assert "Traceback" not in said


WSGI_APP = """\
held = bytearray(40 << 20)
held[::4096] = b"x" * (len(held) // 4096)


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [b'{"ok": true}']
"""


def test_a_measurement_reaches_the_plan_and_proves_preloading(mlpack: Command, project: Path) -> None:
    (project / "app.py").write_text(WSGI_APP)
    broken(project, "    interface: asgi\n    endpoint: def\n", "    interface: wsgi\n")
    host = str(HOSTS / "ci-2c-24g.json")
    before = Plan.model_validate_json(mlpack("plan", "prod", "--host", host, "--json").stdout).services["web"]
    assert before.footprint_source == "estimated"
    assert not before.preload.value

    done = mlpack("estimate", "--measure", "--python", sys.executable)
    assert done.returncode == 0, done.stderr
    web = Plan.model_validate_json(mlpack("plan", "prod", "--host", host, "--json").stdout).services["web"]
    assert web.footprint_source == "measured"
    assert web.preload.value
    assert web.preload.because == "forked workers answered"
    assert web.memory.limit_bytes.value < before.memory.limit_bytes.value

    (project / "requirements.txt").write_text("gunicorn==27.0.1\ntorch==2.12.0\n")
    stale = Plan.model_validate_json(mlpack("plan", "prod", "--host", host, "--json").stdout)
    assert stale.services["web"].footprint_source == "estimated"
    assert any(finding.code == "footprint-stale" for finding in stale.findings)
