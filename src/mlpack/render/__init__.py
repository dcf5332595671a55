"""Rendering: a plan in, its files out. Pure: same input, same bytes; only ``write`` touches the disk."""

from __future__ import annotations

from mlpack.artifact import Artifact
from mlpack.plan import Plan
from mlpack.render.guide import guide_view
from mlpack.render.guide_units import units_view, whole_view
from mlpack.render.refuse import refuse_unrendered
from mlpack.render.templates import render_template
from mlpack.servers import SERVERS
from mlpack.servers.cards import TEMPLATE as CARDS_TEMPLATE
from mlpack.servers.cards import cards_path, cards_values, worker_cards
from mlpack.servers.draining import TEMPLATE as DRAINING_TEMPLATE
from mlpack.servers.draining import draining_path, taking_class
from mlpack.servers.files import gunicorn_settings
from mlpack.servers.gunicorn import config_path
from mlpack.servers.heartbeat import TEMPLATE as HEARTBEAT_TEMPLATE
from mlpack.servers.heartbeat import forks_tasks, heartbeat_path
from mlpack.servers.paths import deploy_folder
from mlpack.servers.proxy import PROXY_FILES, proxy_config_path
from mlpack.servers.ray import FILE as RAY_FILE
from mlpack.servers.ray import head_path
from mlpack.targets import TARGETS
from mlpack.targets.base import RENDERED_BY, File, Requirements
from mlpack.targets.dockerfile import image_files


def render(plan: Plan, requirements: Requirements | None = None) -> tuple[Artifact, ...]:
    """Every file of ``plan``'s deployment except mlpack.lock; paths are relative to the project, sorted.

    ``requirements`` names the distributions that each service installs, where they are known: they decide whether
    PyTorch's CPU index is offered to pip. Raises SpecError for what cannot be rendered (yet), naming it.
    """
    refuse_unrendered(plan)
    known: Requirements = requirements or {}
    files = [*_target_files(plan, known), *image_files(plan, known), *_server_files(plan), _guide(plan)]
    made = [Artifact(path=f.path, text=render_template(f.template, f.values), mode=f.mode) for f in files]
    return tuple(sorted(made, key=lambda artifact: artifact.path))


def _target_files(plan: Plan, requirements: Requirements) -> list[File]:
    targets = sorted({service.target for service in plan.services.values()})
    return [file for target in targets for file in TARGETS[target].files(plan, requirements)]


def _server_files(plan: Plan) -> list[File]:
    made = []
    for name, service in plan.services.items():
        values: dict[str, object] = {"header": RENDERED_BY, "service": name}
        if service.server == "gunicorn":
            values["settings"] = gunicorn_settings(plan, name)
            values["cards"] = worker_cards(service.gpu)
            values["preload"] = service.preload.value
            taking = taking_class(plan, name)
            values |= {"draining": bool(taking), "threaded": taking == "gthread"}
            in_turn = service.load_in_turn
            values["in_turn"] = in_turn.because if in_turn is not None and in_turn.value else ""
            made.append(File(config_path(plan, name), "servers/gunicorn/gunicorn.conf.py.j2", values))
        elif service.server in PROXY_FILES:
            file = PROXY_FILES[service.server]
            values |= SERVERS[service.server].config(plan, name)
            made.append(File(proxy_config_path(plan, name, file), f"servers/{service.server}/{file}.j2", values))
        elif service.server == "ray":
            values |= SERVERS["ray"].config(plan, name)
            made.append(File(head_path(plan, name), f"servers/ray/{RAY_FILE}.j2", values))
        if path := heartbeat_path(plan, name):
            made.append(File(path, HEARTBEAT_TEMPLATE, {"header": RENDERED_BY, "prefork": forks_tasks(plan, name)}))
        if path := cards_path(plan, name):
            made.append(File(path, CARDS_TEMPLATE, values | cards_values(plan, name)))
        if path := draining_path(plan, name):
            made.append(File(path, DRAINING_TEMPLATE, {"header": RENDERED_BY}))
    return made


def _guide(plan: Plan) -> File:
    path, units = f"{deploy_folder(plan.profiles)}/DEPLOYMENT.md", whole_view(plan)
    if units is not None:
        return File(path, "guide/UNITS.md.j2", units)
    return File(path, "guide/DEPLOYMENT.md.j2", {**guide_view(plan), **units_view(plan)})
