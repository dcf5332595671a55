"""Doctor and real patients: every way of being ill in a real container, and what it says of each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.booted import Booted, provide_host
from tests.e2e.doctors import SCENARIOS, examined, patient
from tests.verify import hand

from mlpack.commands.doctor import doctor_command
from mlpack.doctor import diagnose, read
from mlpack.doctor.facts import Facts
from mlpack.doctor.read import read_container
from mlpack.errors import MlpackError, UsageError
from mlpack.process import Completed, run
from mlpack.units import MIB

pytestmark = pytest.mark.engine
ASK = """import urllib.request as u
try: u.urlopen(u.Request("http://127.0.0.1:8000/predict", b'{"x": 21}'), timeout=20)
except Exception: pass"""


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_root_of_an_illness_comes_first(name: str, matrix_image: str) -> None:
    case = SCENARIOS[name]
    with patient(matrix_image, *case.options, command=case.command) as ident:
        facts, found = examined(ident, case.shows)
        kinds = list(found)
        assert kinds[:1] == ([case.kind] if case.kind else []), (kinds, facts.to_json())
        for one in found.values():
            assert one.change, one
        if case.kind:
            assert case.says in "\n".join((found[case.kind].words, *found[case.kind].evidence))
        if name == "restart-loop":
            assert found["restart-loop"].sureness == "certain"
            assert {death.exit_code for death in facts.deaths} == {3}


def test_a_port_that_another_container_holds(matrix_image: str) -> None:
    with patient(matrix_image, "--publish", "127.0.0.1::8000") as holder:
        port = run(["docker", "port", holder, "8000"]).stdout.strip().rpartition(":")[2]
        with patient(matrix_image, "--publish", f"127.0.0.1:{port}:8000") as ident:
            facts = read_container(ident, os.environ)
            (first, *_) = diagnose(facts)
            assert (first.kind, first.sureness) == ("port-taken", "certain")
            assert f"{port}: container {holder}" in first.evidence


def test_a_worker_that_its_server_killed(matrix_image: str) -> None:
    command = ("gunicorn", "--bind", "0.0.0.0:8000", "--timeout", "1", "--worker-tmp-dir", "/dev/shm", "app:app")
    with patient(matrix_image, "--env", "MODE=slow", command=command) as ident:
        examined(ident, lambda facts: any("Booting worker" in line for line in facts.logs))
        run(["docker", "exec", ident, "python3", "-c", ASK], check=False)
        _, found = examined(ident, lambda facts: any("WORKER TIMEOUT" in line for line in facts.logs))
        assert found["timeout-kill"].sureness == "certain"


def test_secrets_in_the_log_are_not_shown(matrix_image: str) -> None:
    said = ("sh", "-c", "echo connecting with $DB_PASSWORD; exit 4")
    with patient(matrix_image, "--env", "DB_PASSWORD=correct-horse", command=said) as ident:
        facts, _ = examined(ident, lambda facts: not facts.running)
        assert "correct-horse" not in facts.to_json()
        assert any("connecting with ***" in line for line in facts.logs)


def test_the_command_for_one_container(capsys: pytest.CaptureFixture[str], matrix_image: str) -> None:
    with patient(matrix_image) as ident:
        assert doctor_command(ident, Path("/"), as_json=False) == 0
        assert "nothing is wrong" in capsys.readouterr().out
    with patient(matrix_image, "--env", "MODE=crash") as ident:
        examined(ident, lambda facts: not facts.running)
        assert doctor_command(ident, Path("/"), as_json=True) == 1
        (one,) = json.loads(capsys.readouterr().out)["patients"]
        assert one["diagnoses"][0]["kind"] == "app-error"


def test_a_whole_project_with_its_lock(project: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Without an argument: every container of the rendered compose project, and the change of mlpack.yaml."""
    root = project("oom-at-load", memory="100m", ports=[])
    folder = root / "deploy" / "prod"
    (root / "mlpack.yaml").write_text("name: hand\n")
    service = hand.service_plan(memory=hand.memory_plan(128 * MIB))
    (folder / "mlpack.lock").write_text(hand.lock(hand.plan(service)).to_json())
    with pytest.raises(MlpackError, match="nothing of this project runs here"):
        doctor_command(None, root, as_json=False)
    compose = ("docker", "compose", "--file", str(folder / "compose.yaml"))
    try:
        run([*compose, "up", "--detach"], timeout_s=120)
        examined("hand-web-1", lambda facts: bool(facts.oom_kills or facts.oom_events))
        assert doctor_command(None, root, as_json=True) == 1
        (one,) = json.loads(capsys.readouterr().out)["patients"]
        first = one["diagnoses"][0]
        assert first["kind"] == "oom"
        assert "the plan's limit is 128 MiB: it runs with another" in first["evidence"]
        assert [patch["path"] for patch in first["patches"]] == ["services.web.memory"]
    finally:
        run([*compose, "down", "--volumes", "--timeout", "1"], check=False, timeout_s=120)


UNITS: dict[str, tuple[str | None, tuple[str, ...], str]] = {
    "exec": ("no-command", ("/ill/program",), "systemd ended it with 203"),
    "oom": (
        "oom",
        (*("--property=MemoryMax=24M", "--property=MemorySwapMax=0"), "python3", "-c", "x = b'x' * (200 << 20)"),
        "CONSTRAINT_MEMCG" if Path("/sys/fs/cgroup/memory").is_dir() else "systemd says Result=oom-kill",
    ),
    "crash": ("missing-module", ("python3", "-c", "import nobody_has_this"), "nobody_has_this"),
    "runs": (None, ("sleep", "600"), ""),
}
"""What systemd-run is told, what doctor calls the unit's illness, and what it names."""


@pytest.fixture(scope="module")
def booted() -> Iterator[Booted]:
    """A host with systemd, and units that are ill."""
    with Booted(provide_host()) as host:
        host.run("sh", "-c", "mkdir -p /ill && printf '#!/no/such/program\\n' >/ill/program && chmod +x /ill/program")
        for name, (_, words, _) in UNITS.items():
            host.run("systemd-run", "--quiet", f"--unit=ill-{name}", *words, check=False)
        yield host


def on(booted: Booted) -> Callable[..., Completed]:
    """Programs run on that host; the kernel, whose messages only this machine may read, is the same."""

    def ask(argv: tuple[str, ...], *, check: bool = True, **_: object) -> Completed:
        return run(argv, check=check) if argv[0] == "dmesg" else booted.run(*argv, check=check)

    return ask


def unexplained(facts: Facts) -> bool:
    """Whether it was killed and nobody says by whom."""
    return facts.exit_code == 137 and not (facts.kernel or facts.oom_killed)


def again(booted: Booted, unit: str) -> None:
    """The unit once more: the kernel tells of ten kills in five seconds, and other tests' may have been those ten.

    (Its end is told by a number that is the kernel's own, which systemd in a container does not see.)
    """
    time.sleep(6)
    booted.run("systemctl", "reset-failed", unit, check=False)
    booted.run("systemd-run", "--quiet", f"--unit={unit}", *UNITS["oom"][1], check=False)


@pytest.mark.parametrize("name", UNITS)
def test_units_of_a_real_systemd(name: str, booted: Booted, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, _, says = UNITS[name]
    monkeypatch.setattr(read, "run", on(booted))
    deadline = time.monotonic() + 30
    facts = read.read_unit(f"ill-{name}.service")
    while (facts.running or unexplained(facts)) and kind and time.monotonic() < deadline:
        time.sleep(0.5)
        facts = read.read_unit(f"ill-{name}.service")
        if unexplained(facts):
            again(booted, f"ill-{name}")
    found = diagnose(facts)
    assert [one.kind for one in found][:1] == ([kind] if kind else []), facts.to_json()
    if kind:
        assert says in "\n".join((found[0].words, *found[0].evidence))


def test_a_unit_that_is_not_there(booted: Booted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "run", on(booted))
    with pytest.raises(UsageError, match="there is no unit"):
        read.read_unit("nobody.service")
