"""Every recorded machine gives the facts that were derived from its files by hand."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from mlpack.host import HostFacts
from mlpack.probe import probe
from mlpack.probe.compare import differences, stable
from mlpack.probe.table import rows

from .machines import RECORDED, engine, outside_of, project_of, says

MACHINES = sorted(path.parent.name for path in RECORDED.glob("*/machine.json"))


def probe_recorded(name: str, root: Path) -> HostFacts:
    machine = RECORDED / name
    answers = {f"/{kind}": machine / f"{kind}.json" for kind in ("version", "info")}
    texts = {path: file.read_text() for path, file in answers.items() if file.exists()}
    with engine(says(texts)) if texts else nullcontext(str(root / "no.sock")) as socket:
        environ = json.loads((machine / "machine.json").read_text()).get("environ", {})
        outside = outside_of(machine, root, environ={**environ, "DOCKER_HOST": f"unix://{socket}"})
        return probe(project_of(machine), outside=outside)


def assert_holds(expected: Any, found: Any, at: str) -> None:
    """``expected`` is a part of ``found``: named keys agree; a list of values or objects agrees item by item."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in found, f"{at}: no {key}"
            assert_holds(value, found[key], f"{at}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{at}: {found}"
        for index, value in enumerate(expected):
            assert_holds(value, found[index], f"{at}.{index}")
    else:
        assert found == expected, f"{at}: {found!r}, expected {expected!r}"


@pytest.mark.parametrize("name", MACHINES)
def test_recorded(name: str, tmp_path: Path) -> None:
    facts = probe_recorded(name, tmp_path)
    expected = json.loads((RECORDED / name / "expect.json").read_text())
    usable, unread = expected.pop("usable"), expected.pop("unread")
    assert_holds(expected, json.loads(facts.to_json()), "facts")
    assert [item.name for item in facts.unread] == unread, facts.unread
    assert all(item.reason for item in facts.unread)
    assert facts.cores == usable["cores"]
    assert facts.memory_bytes == usable["memory_bytes"]


@pytest.mark.parametrize("name", MACHINES)
def test_round_trip_table_and_lock(name: str, tmp_path: Path) -> None:
    facts = probe_recorded(name, tmp_path)
    assert HostFacts.model_validate_json(facts.to_json()) == facts
    shown = rows(facts)
    assert {section for section, _, _ in shown} >= {"usable here", "memory", "processor", "container engine"}
    assert [name for section, name, _ in shown if section == "not read"] == [item.name for item in facts.unread]
    kept = stable(facts)
    assert stable(kept) == kept
    assert differences(kept, facts) == ()


def test_there_are_machines() -> None:
    assert len(MACHINES) >= 14
