"""``mlpack estimate --measure``: run one worker of the app for real, and keep what it needed in footprint.json."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlpack.commands.estimate import show_footprint
from mlpack.commands.measure_image import built
from mlpack.commands.models import known_models
from mlpack.console import heading, progress, say, table
from mlpack.errors import DoesNotFit, ExitCode, UsageError
from mlpack.flow import Gathered, footprint_inputs, gather, make
from mlpack.flow.gather import FOOTPRINT_NAME, read_footprints
from mlpack.launchers.local_python import find_python, service_environ
from mlpack.launchers.relocate import relocated
from mlpack.measure.request import work_of
from mlpack.measure.result import MeasureResult
from mlpack.measure.run import MakePlace, measure
from mlpack.measure.subject import CLIENT_MODULES, Subject
from mlpack.model import ModelInfo
from mlpack.plan import Plan
from mlpack.probe import probe
from mlpack.project import resolve
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.base import RuntimeFacts
from mlpack.servers import SERVERS
from mlpack.servers.paths import model_path
from mlpack.servers.wiring import environment
from mlpack.spec import Spec
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
    "growth": "many times more, shorter texts among them: what stays of each?",
    "crowd": "fresh workers, the first requests all at once",
    "forked": "two workers forked after the load, an inference in each",
}


def measure_command(
    project: Path,
    profiles: tuple[str, ...],
    sets: tuple[str, ...],
    *,
    service: str | None,
    python: Path | None,
    in_container: bool = False,
    as_json: bool,
) -> int:
    """Measure ``service``, or every service that runs models in the project's code; write footprint.json."""
    gathered = gather(project, profiles, sets)
    infos = known_models(gathered)
    names = _measurable(gathered, service)
    if in_container:
        if python is not None:
            raise UsageError("--python and --in-container exclude each other", hint="the image has its own Python")
        with built(gathered, profiles, names, progress) as run:
            for name in names:
                progress(f"measuring one worker of {name} in a container of its image ...")
                subject = _subject(gathered, run.plan, name, Path("python"), in_image=True, secrets=run.secrets)
                _measure_one(gathered, infos, run.plan, subject, run.place(name), as_json=as_json)
    else:
        plan = _plan(gathered, infos)
        found = python or find_python(gathered.root, gathered.spec, None)
        for name in names:
            progress(f"measuring one worker of {name} with {found} ...")
            _measure_one(gathered, infos, plan, _subject(gathered, plan, name, found), None, as_json=as_json)
    if as_json:
        say(read_footprints(gathered.root).to_json().rstrip())
    progress(f"kept in {FOOTPRINT_NAME}: the next plan rests on it until a model, requirement, app or request changes")
    return ExitCode.OK


def _measure_one(
    gathered: Gathered,
    infos: dict[str, ModelInfo],
    plan: Plan,
    subject: Subject,
    place: MakePlace | None,
    *,
    as_json: bool,
) -> None:
    """Measure and keep the result at once, so that a later service's failure loses nothing."""
    name = subject.service
    result = measure(
        subject,
        concurrency=plan.services[name].concurrency.value,
        threads=plan.services[name].threads.value,
        inputs_sha256=footprint_inputs(gathered, name, infos),
        prove_fork=_may_preload(gathered, plan, name),
        progress=lambda stage: progress(f"  {STAGES.get(stage, stage)} ..."),
        place=place,
    )
    file = read_footprints(gathered.root)
    file = file.model_copy(update={"services": {**file.services, name: result.footprint}})
    replace_file(gathered.root / FOOTPRINT_NAME, file.to_json())
    if not as_json:
        show_result(name, result)


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
            "" if stage.libraries_in_use_bytes is None else show_mib(stage.libraries_in_use_bytes),
        )
        for stage in result.stages
    ]
    columns = ("after", "took", "PSS", "USS", "anonymous", "its peak", "file-backed", "libraries in use")
    table(columns, rows, ("left", *("right",) * 7))
    say("")
    show_footprint(f"One worker of {name}", result.footprint)
    for note in result.notes:
        say(f"note: {note}")


def _measurable(gathered: Gathered, service: str | None) -> tuple[str, ...]:
    """The services to measure: those that say how, and web services that list models. One that is named need not list
    models."""
    services = gathered.spec.services
    web = [name for name, one in services.items() if SERVERS[one.server].FACTS.role == "app"]
    able = [name for name in services if name in web or services[name].measure is not None]
    if service in able:
        return (service,)
    usual = tuple(name for name in able if services[name].models or services[name].measure is not None)
    if service is None and usual:
        return usual
    if service is not None and service not in services:
        raise UsageError(f"there is no service {service!r}", hint=f"there are: {', '.join(services)}")
    calling = [n for n, one in services.items() if SERVERS[one.server].FACTS.role in ("worker", "actors")]
    wanted = service if service in calling else next(iter(calling), None)
    what = "no service of this project can be measured" if service is None else f"{service!r} cannot be measured"
    hint = f"measured are web services, by their largest request: {', '.join(web) or 'none here'}"
    if wanted is not None:
        call = f'services: {{{wanted}: {{measure: {{call: "module:function", args: [...]}}}}}}'
        hint += f"; a worker is measured by a task or function that mlpack.yaml names: {call}"
    raise UsageError(what, hint=hint)


def _plan(gathered: Gathered, infos: dict[str, ModelInfo]) -> Plan:
    """The plan by estimate for this machine: it tells threads and concurrency. Raises DoesNotFit with a way out."""
    host = probe(gathered.root)
    try:
        return make(gathered, host, infos)[0]
    except DoesNotFit as error:
        raise DoesNotFit(
            error.what, where=error.where, hint="measure on a larger machine, or name the worker: --set services.X..."
        ) from error


def _subject(
    gathered: Gathered,
    plan: Plan,
    name: str,
    python: Path,
    *,
    in_image: bool = False,
    secrets: Mapping[str, str] | None = None,
) -> Subject:
    """Service ``name`` as it would run here: the plan's variables, paths of this host. ``secrets``: of its headers."""
    service = gathered.spec.services[name]
    here = relocated(plan, str(gathered.root), {other: s.port for other, s in plan.services.items() if s.port})
    modules = [m for facts in _runtime_facts(plan, name) for m in facts.modules]
    modules += _client_modules(gathered.spec, name)
    paths = {model: gathered.spec.models[model].path for model in service.models}
    models = {model: _files(resolve(gathered.root, path)) for model, path in paths.items() if path}
    seen_at: dict[str, tuple[str, ...]]
    if in_image:
        seen_at = {model: (model_path(plan.spec, model),) for model in models}
    else:
        whole = {model: resolve(gathered.root, path) for model, path in paths.items() if path}
        seen_at = {model: tuple({str(path.absolute()), str(path.resolve())}) for model, path in whole.items()}
    return Subject(
        service=name,
        app=service.app or "",
        root=gathered.root,
        python=python,
        request=work_of(gathered.spec, name, gathered.root, secrets),
        env=service_environ(os.environ, python, environment(here, name)),
        interface=service.interface,
        server=service.server,
        libraries=tuple(modules),
        model_files=tuple(file for files in models.values() for file in files),
        models=models,
        seen_at=seen_at,
    )


def _client_modules(spec: Spec, name: str) -> list[str]:
    """What service ``name`` imports only once it meets the services that its variables name."""
    service = spec.services[name]
    met = {spec.services[value.of].server for value in service.env.values() if value.of in spec.services}
    return [module for other in sorted(met) for module in CLIENT_MODULES.get((service.server, other), ())]


def _may_preload(gathered: Gathered, plan: Plan, name: str) -> bool:
    """Whether forking after the load is worth a proof: the server can, and no library is known to hang."""
    able = SERVERS[gathered.spec.services[name].server].FACTS.preload_fork_point is not None
    return able and all(facts.fork_safe != "no" for facts in _runtime_facts(plan, name))


def _runtime_facts(plan: Plan, name: str) -> list[RuntimeFacts]:
    return [runtime.FACTS for key, runtime in RUNTIMES.items() if key in plan.services[name].runtimes]


def _files(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_file() else tuple(sorted(file for file in path.rglob("*") if file.is_file()))
