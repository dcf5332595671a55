"""``mlpack estimate`` in a project: what one worker of each service needs, from headers and footprint.json."""

from __future__ import annotations

import json
from pathlib import Path

from mlpack.commands.estimate import show_footprint, show_model
from mlpack.commands.models import known_models
from mlpack.console import say
from mlpack.errors import ExitCode
from mlpack.estimate import estimate
from mlpack.flow import footprint_inputs, gather


def estimate_command(project: Path, sets: tuple[str, ...], *, as_json: bool) -> int:
    """Estimate every service of the project that runs models or the project's code."""
    gathered = gather(project, (), sets)
    infos = known_models(gathered)
    footprints = estimate(gathered.spec, infos, gathered.requirements)
    if as_json:
        say(json.dumps({name: one.model_dump(mode="json") for name, one in footprints.items()}, indent=2))
        return ExitCode.OK
    for name, info in infos.items():
        show_model(f"model {name}", info)
    for name, footprint in footprints.items():
        show_footprint(f"one process of service {name}", footprint)
        measured = gathered.measured.services.get(name)
        if measured is not None and measured.inputs_sha256 == footprint_inputs(gathered, name, infos):
            show_footprint(f"one process of service {name}, from footprint.json, which plans rest on", measured)
        elif measured is not None:
            say(
                f"footprint.json's measurement of {name} no longer holds: its model, requirements, app, variables or "
                f"request changed. Measure again: mlpack estimate --measure --service {name}\n"
            )
    if not gathered.measured.services:
        say("These are estimates from headers alone. For numbers to rely on: mlpack estimate --measure")
    return ExitCode.OK
