"""``mlpack verify``: starts what was rendered, asks it real questions under its limits, and reports."""

from __future__ import annotations

from pathlib import Path

from mlpack.commands import calibrate as calibration
from mlpack.commands import fix as fixing
from mlpack.commands.annotate import annotate_report, require_ci
from mlpack.console import progress, say
from mlpack.errors import ExitCode, LockError
from mlpack.flow import output_folder
from mlpack.project import find_root
from mlpack.reports.forms import report_text, require_form
from mlpack.reports.terminal import lines
from mlpack.verify import verify
from mlpack.verify.fix import patches_of
from mlpack.write import read_lock, replace_file

REPORT_NAME = "verify.json"


def verify_command(
    project: Path,
    profiles: tuple[str, ...],
    launcher: str,
    python: Path | None,
    report_files: tuple[Path, ...],
    *,
    as_json: bool,
    annotate: str = "never",
    fix: bool = False,
    calibrate: bool = False,
    thorough: bool = False,
) -> int:
    """Verify deploy/<profiles>: 0 when no check failed, 1 when one did, 4 where the planned cards are not here.

    The report is also kept in ``report_files``, each in the form of its name; as verify.json beside the rendered
    files, which it is not one of, unless one of them is JSON. ``annotate``: see commands.annotate.
    ``fix``: change mlpack.yaml as the failed checks propose. ``calibrate``: keep what was measured. ``thorough``: try
    also what takes long."""
    for path in report_files:
        require_form(path)
    ci = require_ci(annotate)
    root = find_root(project)
    folder = output_folder(root, profiles)
    lock = read_lock(folder)
    if lock is None:
        raise LockError(
            "nothing was rendered here",
            where=str(folder.relative_to(root)),
            hint=f"render it first: mlpack render {' '.join(profiles)}",
        )
    report = verify(
        root,
        lock,
        launcher=None if launcher == "auto" else launcher,
        python=python,
        progress=progress,
        thorough=thorough,
    )
    if as_json:
        say(report.to_json().rstrip())
    else:
        for line in lines(report):
            say(line)
    kept = any(path.suffix.lower() == ".json" for path in report_files)
    for target in (*report_files, *(() if kept else (folder / REPORT_NAME,))):
        replace_file(target, report_text(report, lock.plan, target))  # after it was shown: a refusal loses nothing
        progress(f"report: {target}")
    annotate_report(ci, report, root)
    if calibrate:
        calibration.calibrate(root, lock, report, profiles)
    patches = patches_of(report)
    if fix:
        fixing.apply(root, patches, profiles)
    elif patches:
        for patch in patches:
            progress(f"{patch.path}: {patch.before or 'not set'} -> {patch.after}: {patch.reason}")
        progress("`mlpack verify --fix` changes mlpack.yaml so")
    if report.open:
        return ExitCode.NOT_PROVEN
    return ExitCode.OK if report.passed else ExitCode.FAILED
