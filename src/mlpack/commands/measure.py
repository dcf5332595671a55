"""``mlpack estimate --measure``: run one worker of the app for real, and keep what it needed in footprint.json."""

from __future__ import annotations

import os
from pathlib import Path

from mlpack.commands.estimate import show_footprint
from mlpack.commands.models import known_models
from mlpack.console import heading, progress, say, table
from mlpack.errors import DoesNotFit, ExitCode, UsageError
from mlpack.flow import Gathered, footprint_inputs, gather, make
from mlpack.flow.gather import FOOTPRINT_NAME, read_footprints
from mlpack.launchers.local_python import find_python, service_environ
from mlpack.launchers.relocate import relocated
from mlpack.measure.request import work_of
from mlpack.measure.result import MeasureResult
from mlpack.measure.run import measure
from mlpack.measure.subject import Subject
from mlpack.model import ModelInfo
from mlpack.plan import Plan
from mlpack.probe import probe
from mlpack.project import resolve
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.base import RuntimeFacts
from mlpack.servers import SERVERS
from mlpack.servers.wiring import environment
from mlpack.units import show_duration, show_mib
from mlpack.write import replace_file

STAGES = {
    "interpreter": "a bare Python",
    "libraries": "server and inference libraries imported",
    "app": "the app's module imported",
    "startup": "models loaded",
    "first": "the largest request, the first time",
    "alone": "the largest request, alone",
    "together": "the largest request, at the planned concurrency",
    "idle": "at rest again",
    "growth": "the same request many times more: what stays of each?",
    "forked": "two workers forked after the load, an inference in each",
}


def measure_command(
    project: Path,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    *,
    service: str | None,
    python: Path | None,
    as_json: bool,
) -> int:
    """Measure ``service``, or every service that runs models in the project's code; write footprint.json."""
    gathered = gather(project, profiles, sets)
    infos = known_models(gathered)
    names = _measurable(gathered, service)
    plan = _plan(gathered, infos)
    file = read_footprints(gathered.root)
    found = python or find_python(gathered.root, gathered.spec, None)
    for name in names:
        progress(f"measuring one worker of {name} with {found} ...")
        result = measure(
            _subject(gathered, plan, name, found),
            concurrency=plan.services[name].concurrency.value,
            threads=plan.services[name].threads.value,
            inputs_sha256=footprint_inputs(gathered, name, infos),
            prove_fork=_may_preload(gathered, plan, name),
            progress=lambda stage: progress(f"  {STAGES.get(stage, stage)} ..."),
        )
        file = file.model_copy(update={"services": {**file.services, name: result.footprint}})
        replace_file(gathered.root / FOOTPRINT_NAME, file.to_json())
        if not as_json:
            show_result(name, result)
    if as_json:
        say(file.to_json().rstrip())
    progress(f"kept in {FOOTPRINT_NAME}: the next plan rests on it")
    return ExitCode.OK


def show_result(name: str, result: MeasureResult) -> None:
    """Stage by stage what the process held, anonymous and file-backed apart, then the regions."""
    heading(f"One worker of {name}, stage by stage ({result.python})")
    rows = [
        (
            STAGES[stage.name],
            show_duration(stage.seconds),
            show_mib(stage.pss_bytes),
            show_mib(stage.uss_bytes),
            show_mib(stage.anonymous_bytes),
            show_mib(stage.anonymous_peak_bytes),
            show_mib(stage.mapped_bytes),
        )
        for stage in result.stages
    ]
    columns = ("after", "took", "PSS", "USS", "anonymous", "its peak", "file-backed")
    table(columns, rows, ("left", *("right",) * 6))
    say("")
    show_footprint(f"One worker of {name}", result.footprint)
    for note in result.notes:
        say(f"note: {note}")


def _measurable(gathered: Gathered, service: str | None) -> tuple[str, ...]:
    """The services to measure: those that load models in the project's own code."""
    spec = gathered.spec
    runs = [n for n, s in spec.services.items() if s.models and SERVERS[s.server].FACTS.role == "app"]
    if service is None and runs:
        return tuple(runs)
    if service in spec.services and service in runs:
        return (service,)
    known = ", ".join(runs) or "none here"
    what = "no service of this project can be measured" if service is None else f"{service!r} cannot be measured"
    raise UsageError(what, hint=f"measured are web services that list models and run the project's app: {known}")


def _plan(gathered: Gathered, infos: dict[str, ModelInfo]) -> Plan:
    """The plan by estimate for this machine: it tells threads and concurrency. Raises DoesNotFit with a way out."""
    host = probe(gathered.root)
    try:
        return make(gathered, host, infos)[0]
    except DoesNotFit as error:
        raise DoesNotFit(
            error.what, where=error.where, hint="measure on a larger machine, or name the worker: --set services.X..."
        ) from error


def _subject(gathered: Gathered, plan: Plan, name: str, python: Path) -> Subject:
    """Service ``name`` as it would run here: the plan's variables, paths of this host."""
    service = gathered.spec.services[name]
    here = relocated(plan, str(gathered.root), {other: s.port for other, s in plan.services.items() if s.port})
    modules = [m for facts in _runtime_facts(plan, name) for m in facts.modules]
    paths = [gathered.spec.models[model].path for model in service.models]
    files = [file for path in paths if path for file in _files(resolve(gathered.root, path))]
    return Subject(
        service=name,
        app=service.app or "",
        root=gathered.root,
        python=python,
        request=work_of(gathered.spec, name, gathered.root),
        env=service_environ(os.environ, python, environment(here, name)),
        interface=service.interface,
        server=service.server,
        libraries=tuple(modules),
        model_files=tuple(files),
    )


def _may_preload(gathered: Gathered, plan: Plan, name: str) -> bool:
    """Whether forking after the load is worth a proof: the server can, and no library is known to hang."""
    able = SERVERS[gathered.spec.services[name].server].FACTS.preload_fork_point is not None
    return able and all(facts.fork_safe != "no" for facts in _runtime_facts(plan, name))


def _runtime_facts(plan: Plan, name: str) -> list[RuntimeFacts]:
    return [runtime.FACTS for key, runtime in RUNTIMES.items() if key in plan.services[name].runtimes]


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
