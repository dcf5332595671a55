"""Every folder of tests/golden is planned whole and compared with the plan that somebody read: see its README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter

from mlpack.config import load_spec
from mlpack.estimate import estimate
from mlpack.host import HostFacts
from mlpack.model import ModelInfo
from mlpack.plan import Plan
from mlpack.planner import explain, make_plan
from mlpack.runtimes import runtime_of
from mlpack.servers import SERVERS
from mlpack.spec import ServerName

TESTS = Path(__file__).parent.parent
GOLDEN = TESTS / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/case.json"))
INFOS = TypeAdapter(dict[str, ModelInfo])


class Case(BaseModel):
    """A case: names of a host and of recorded models, a spec's path, profiles, and requirements by service."""

    host: str
    spec: str
    models: str
    profiles: tuple[str, ...]
    requirements: dict[str, tuple[str, ...]]


def plan_of(name: str, folder: Path) -> Plan:
    """The plan of case ``name``; ``folder`` is an empty one that the spec is copied to."""
    case = Case.model_validate_json((GOLDEN / name / "case.json").read_text(encoding="utf-8"))
    (folder / "mlpack.yaml").write_text((TESTS / case.spec).read_text(encoding="utf-8"), encoding="utf-8")
    host = HostFacts.model_validate_json((TESTS / "hosts" / f"{case.host}.json").read_text(encoding="utf-8"))
    infos = INFOS.validate_json((GOLDEN / "models" / f"{case.models}.json").read_text(encoding="utf-8"))
    loaded = load_spec(folder, case.profiles)
    runtimes = {
        service: tuple(
            dict.fromkeys(
                runtime_of(model, loaded.spec.models[model], infos[model], case.requirements.get(service))
                for model in wanted.models
            )
        )
        for service, wanted in loaded.spec.services.items()
    }
    return make_plan(
        host,
        loaded.spec,
        estimate(loaded.spec, infos, case.requirements),
        profiles=case.profiles,
        origins=loaded.origins,
        runtimes=runtimes,
        requirements=case.requirements,
    )


@pytest.mark.parametrize("name", CASES)
def test_plan_is_the_one_that_was_read(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = plan_of(name, tmp_path).to_json()
    path = GOLDEN / name / "plan.json"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), "no plan.json yet: run pytest --update-golden, then read it"
    recorded = path.read_text(encoding="utf-8")
    assert explain(Plan.model_validate_json(text)) == explain(Plan.model_validate_json(recorded))
    assert text == recorded


def servers_of(plans: Mapping[str, Plan]) -> set[ServerName]:
    """All servers that occur in ``plans``."""
    return {service.server for plan in plans.values() for service in plan.services.values()}


def test_every_server_occurs_in_a_golden() -> None:
    plans = {
        name: Plan.model_validate_json((GOLDEN / name / "plan.json").read_text(encoding="utf-8")) for name in CASES
    }
    assert servers_of(plans) == set(SERVERS)
