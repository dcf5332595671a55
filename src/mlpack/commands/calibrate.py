"""``mlpack verify --calibrate``: what the run measured goes into footprint.json, and so into the next plan."""

from __future__ import annotations

from pathlib import Path

from mlpack.console import progress
from mlpack.errors import MlpackError
from mlpack.flow import footprint_inputs, gather
from mlpack.flow.gather import FOOTPRINT_NAME, read_footprints
from mlpack.lock import Lock
from mlpack.report import VerifyReport
from mlpack.units import show_mib
from mlpack.verify.calibrate import calibrated
from mlpack.write import replace_file


def calibrate(root: Path, lock: Lock, report: VerifyReport, profiles: tuple[str, ...]) -> bool:
    """Write footprint.json anew for every service that runs models; whether anything was written."""
    if report.load is None or report.load.errors:
        progress("nothing to calibrate by: the load did not run, or had errors")
        return False
    gathered = gather(root, profiles)
    file = read_footprints(root)
    found = dict(file.services)
    for measured in report.services:
        name = measured.service
        if name not in lock.footprints or not gathered.spec.services[name].models:
            continue
        service = lock.plan.services[name]
        try:
            found[name] = calibrated(
                lock.footprints[name],
                service,
                measured,
                at_once=report.load.concurrency,
                inputs_sha256=footprint_inputs(gathered, name, lock.world.models),
            )
        except MlpackError as error:
            progress(f"{error.what}; {error.hint}")
            continue
        before, after = show_mib(measured.predicted_bytes), show_mib(measured.peak_need_bytes)
        progress(f"{name}: predicted {before}, measured {after}: kept in {FOOTPRINT_NAME}")
    if found == file.services:
        return False
    replace_file(root / FOOTPRINT_NAME, file.model_copy(update={"services": found}).to_json())
    progress(f"the next plan rests on it: mlpack render {' '.join(profiles)}")
    return True
