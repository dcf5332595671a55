"""From gathered files and a world to a plan, its artifacts and its lock. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlpack import __version__
from mlpack.artifact import Artifact
from mlpack.config import located
from mlpack.estimate import estimate
from mlpack.estimate.gpu import on_card
from mlpack.estimate.service import keeps_windows
from mlpack.flow.gather import Gathered
from mlpack.flow.inputs import footprint_inputs
from mlpack.flow.tasks import task_limits
from mlpack.footprint import Footprint
from mlpack.host import HostFacts
from mlpack.lock import Lock, World
from mlpack.model import ModelInfo
from mlpack.plan import Plan
from mlpack.planner import make_plan
from mlpack.planner.subject import Origin
from mlpack.planner.task_limits import TaskLimit
from mlpack.planner.task_limits import clashes as task_clashes
from mlpack.render import render
from mlpack.report import Finding
from mlpack.runtimes import runtime_of
from mlpack.servers.paths import deploy_folder
from mlpack.spec import RuntimeName, Spec
from mlpack.write import artifact_hashes, input_hashes


@dataclass(frozen=True)
class Produced:
    """What render would write: the files and the lock that describes them."""

    lock: Lock
    artifacts: tuple[Artifact, ...]


def output_folder(root: Path, profiles: tuple[str, ...]) -> Path:
    """Where a render with ``profiles`` lies."""
    return root / deploy_folder(profiles)


@dataclass(frozen=True)
class Prepared:
    """All that a plan needs beside the machine."""

    gathered: Gathered
    footprints: dict[str, Footprint]
    runtimes: Mapping[str, tuple[RuntimeName, ...]]
    infos: Mapping[str, ModelInfo]
    stale: tuple[Finding, ...]
    task_limits: Mapping[str, tuple[TaskLimit, ...]]
    """Service -> what its tasks' decorators say."""

    def plan(self, host: HostFacts, spec: Spec | None = None, origins: Mapping[str, Origin] | None = None) -> Plan:
        """The plan on ``host``, of another ``spec`` where one is tried out; ``origins`` are then its new values'."""
        loaded = self.gathered.loaded
        with located(loaded):
            plan = make_plan(
                host,
                spec or loaded.spec,
                self.footprints,
                profiles=loaded.profiles,
                origins={**loaded.origins, **(origins or {})},
                runtimes=self.runtimes,
                requirements=self.gathered.requirements,
                infos=self.infos,
                on_cards=self.on_cards(host, spec or loaded.spec),
            )
        clashes = [
            finding
            for name, limits in self.task_limits.items()
            for finding in task_clashes(name, plan.services[name], limits)
        ]
        return plan.model_copy(update={"findings": (*plan.findings, *clashes, *self.stale)})

    def on_cards(self, host: HostFacts, spec: Spec) -> dict[str, Footprint]:
        """One process of every service that could run on a card, as it is there; none where no card is in question."""
        asked = any("gpu" in (spec.device, service.device) for service in spec.services.values())
        if not asked and not any(card.vendor == "nvidia" for card in host.gpus.devices):
            return {}
        lines = self.gathered.requirements
        found = {}
        for name, service in spec.services.items():
            if not all(model in self.infos for model in service.models):
                continue
            models = {
                model: (spec.models[model], self.infos[model], _runtime(self.gathered, name, model, self.infos))
                for model in service.models
            }
            footprint = on_card(self.footprints[name], models, lines.get(name), windows=keeps_windows(service.server))
            if footprint is not None:
                found[name] = footprint
        return found


def prepare(gathered: Gathered, infos: Mapping[str, ModelInfo]) -> Prepared:
    """Footprints and runtimes of every service: measured where that still holds, else estimated."""
    footprints = estimate(gathered.spec, infos, gathered.requirements)
    stale: list[Finding] = []
    for name in footprints:
        measured = gathered.measured.services.get(name)
        if measured is None:
            continue
        if measured.inputs_sha256 == footprint_inputs(gathered, name, infos):
            footprints[name] = measured
        else:
            stale.append(_stale(name))
    return Prepared(gathered, footprints, _runtimes(gathered, infos), infos, tuple(stale), _task_limits(gathered))


def make(gathered: Gathered, host: HostFacts, infos: Mapping[str, ModelInfo]) -> tuple[Plan, dict[str, Footprint]]:
    """The plan for ``host`` and the footprints it rests on."""
    prepared = prepare(gathered, infos)
    return prepared.plan(host), prepared.footprints


def produce(gathered: Gathered, world: World) -> Produced:
    """Plan for ``world``, render, and describe the result in a lock."""
    plan, footprints = make(gathered, world.host, world.models)
    folder = deploy_folder(plan.profiles) + "/"
    artifacts = tuple(  # the lock's folder is the root of all that it owns
        artifact.model_copy(update={"path": artifact.path.removeprefix(folder)})
        for artifact in render(plan, gathered.requirements)
    )
    lock = Lock(
        mlpack_version=__version__,
        profiles=plan.profiles,
        world=world,
        inputs=input_hashes(gathered.root, gathered.sources),
        footprints=footprints,
        plan=plan,
        files=artifact_hashes(artifacts),
    )
    return Produced(lock=lock, artifacts=artifacts)


def _task_limits(gathered: Gathered) -> dict[str, tuple[TaskLimit, ...]]:
    return {
        name: limits
        for name, service in gathered.spec.services.items()
        if service.server == "celery" and service.app and (limits := task_limits(gathered.root, service.app))
    }


def _runtimes(gathered: Gathered, infos: Mapping[str, ModelInfo]) -> dict[str, tuple[RuntimeName, ...]]:
    """Service -> inference runtimes of its models, each once, in the order of the models."""
    spec = gathered.spec
    return {
        name: tuple(dict.fromkeys(_runtime(gathered, name, model, infos) for model in service.models))
        for name, service in spec.services.items()
    }


def _runtime(gathered: Gathered, service: str, model: str, infos: Mapping[str, ModelInfo]) -> RuntimeName:
    return runtime_of(model, gathered.spec.models[model], infos[model], gathered.requirements.get(service))


def _stale(name: str) -> Finding:
    return Finding(
        code="footprint-stale",
        severity="warning",
        message=f"the measurement of {name} in footprint.json no longer holds (its model, requirements, app or "
        "request changed): planned from an estimate",
        where=f"services.{name}",
        hint=f"measure again: mlpack estimate --measure --service {name}",
    )
