"""``--host``, ``--ram``, ``--cores`` and ``--gpu``: which machine they mean, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands.conftest import Command

from mlpack.commands.host import Machine, chosen_host, parse_host, read_host
from mlpack.errors import MlpackError, UsageError
from mlpack.host import HostFacts
from mlpack.plan import Plan
from mlpack.planner.machines import machine, named, seen_bytes
from mlpack.units import GIB

pytestmark = pytest.mark.slow

HOSTS = Path(__file__).parent.parent / "hosts"
LAPTOP = HOSTS / "laptop-8g.json"


def nobody() -> HostFacts:
    raise AssertionError("this machine was asked though another was named")


def test_numbers_make_a_machine() -> None:
    assert chosen_host(Machine(ram="16G", cores="4"), nobody) == machine(16 * GIB, 4)
    assert chosen_host(Machine(ram="16G", cores="4", gpu="l4"), nobody) == machine(16 * GIB, 4, "l4")


def test_a_file_and_a_name() -> None:
    facts = HostFacts.model_validate_json(LAPTOP.read_text(encoding="utf-8"))
    assert chosen_host(Machine(host=LAPTOP), nobody) == facts
    assert chosen_host(Machine(host=Path("m7i.xlarge")), nobody) == named("m7i.xlarge")


def test_a_number_beside_a_host_replaces_the_hosts_own() -> None:
    facts = chosen_host(Machine(host=LAPTOP, ram="4G"), nobody)
    assert facts.memory_bytes == seen_bytes(4 * GIB)
    assert facts.cpu == HostFacts.model_validate_json(LAPTOP.read_text(encoding="utf-8")).cpu


def test_nothing_asked_is_this_machine() -> None:
    assert chosen_host(Machine(), lambda: machine(GIB, 1)) == machine(GIB, 1)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Machine(ram="16G"), "--cores missing"),
        (Machine(cores="4"), "--ram missing"),
        (Machine(gpu="l4"), "--ram and --cores missing"),
        (Machine(ram="lots", cores="4"), "not a size"),
        (Machine(ram="16G", cores="four"), "not a number of cores"),
        (Machine(ram="0", cores="4"), "no machine"),
        (Machine(ram="16G", cores="-1"), "no machine"),
        (Machine(host=Path("m7.xlarge")), "neither a file nor a machine"),
    ],
)
def test_what_is_no_machine(asked: Machine, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen_host(asked, nobody)
    assert expected in caught.value.what
    assert caught.value.hint


def test_a_missing_file_is_a_missing_file() -> None:
    with pytest.raises(MlpackError, match="no such file"):
        read_host(Path("absent.json"))


@pytest.mark.parametrize(
    ("text", "expected", "hint"),
    [
        ('{"schema_version": 2}', "schema version 2; this mlpack reads 1", "upgrade mlpack"),
        ('{"schema_version": 0}', "schema version 0; this mlpack reads 1", "mlpack probe --json"),
        ('{"schema_version": 1}', "system: Field required", "mlpack probe --json"),
        ("{", "not JSON", "mlpack probe --json"),
        ("[" * 100_000, "not JSON", "mlpack probe --json"),
        ("[]", "is not a host file", "mlpack probe --json"),
    ],
)
def test_another_file_is_no_host(text: str, expected: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_host(text, "box.json")
    assert caught.value.where == "box.json"
    assert expected in caught.value.what
    assert hint in (caught.value.hint or "")


def test_plan_for_numbers(mlpack: Command) -> None:
    done = mlpack("plan", "prod", "--ram", "8G", "--cores", "2", "--json")
    assert done.returncode == 0, done.stderr
    plan = Plan.model_validate_json(done.stdout)
    assert plan.budget.total_bytes.value == seen_bytes(8 * GIB)
    assert plan.budget.cores.value == 2
    assert json.loads(mlpack("plan", "prod", "--host", "m7i.large", "--json").stdout) == json.loads(done.stdout)
