"""What a trial of units leaves on a machine, noted before it is made, so that a later run can remove it as well.

The note is a drop-in below /run that each unit of a trial has: it also turns restarts off, as a crash must be seen.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.launchers.base import Say
from mlpack.launchers.owner import Owner, life, parse_owner
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers.paths import volume_path
from mlpack.targets.systemd import services as unit_services
from mlpack.targets.systemd_programs import config_folder, runs_code, state_folder, user_made, user_of
from mlpack.targets.systemd_unit import grouping, unit_name

INSTALLED = Path("/etc/systemd/system")
DROP_INS = Path("/run/systemd/system")
NOTE = "mlpack-verify.conf"
NO_RESTART = ("[Service]", "Restart=no")
"""Lines of that drop-in."""
PRIVATE = Path("/var/lib/private")
"""Where systemd keeps the folders of units with a user of their own; the name in /var/lib is a link to it."""
REMOVE_S = 180.0


def leftovers(plan: Plan) -> tuple[str, ...]:
    """What of the project is on this machine already, units and their folders."""
    units = [INSTALLED / unit_name(plan, name) for name in unit_services(plan)]
    states = [Path(state_folder(plan, name)) for name in unit_services(plan) if not runs_code(plan, name)]
    found = [*units, INSTALLED / grouping(plan), Path(config_folder(plan)), *states]
    return tuple(str(path) for path in found if path.exists() or path.is_symlink())


def note_of(plan: Plan, name: str) -> Path:
    """The drop-in of service ``name``'s unit."""
    return DROP_INS / f"{unit_name(plan, name)}.d" / NOTE


@dataclass(frozen=True)
class Traces:
    """All that one trial makes, by path and name; each is its own to remove."""

    script: Path
    notes: tuple[Path, ...]
    folders: tuple[Path, ...]
    user: str | None
    """Made by install.sh for the trial; None where it was there before, or is somebody's own."""

    def remove(self, say: Say) -> tuple[str, ...]:
        """Uninstall, then what install.sh keeps on purpose. What is left, in words."""
        try:
            done = run((str(self.script), "uninstall"), timeout_s=REMOVE_S, check=False)
            problem = (done.stderr or done.stdout).strip()[-300:] if done.code else ""
        except MlpackError as error:  # the project was moved away meanwhile, or systemd hangs
            problem = error.what
        for note in self.notes:
            note.unlink(missing_ok=True)
            if note.parent.is_dir() and not any(note.parent.iterdir()):
                note.parent.rmdir()
        run(("systemctl", "daemon-reload"), timeout_s=REMOVE_S, check=False)
        for folder in self.folders:
            if folder.is_symlink():
                shutil.rmtree(PRIVATE / folder.name, ignore_errors=True)
                folder.unlink()
            else:
                shutil.rmtree(folder, ignore_errors=True)
        if self.user is not None:
            run(("userdel", self.user), timeout_s=REMOVE_S, check=False)
        if problem:
            return (f"{self.script} uninstall failed: {problem}",)
        say("the units are gone again")
        return tuple(str(path) for path in (*self.notes, *self.folders) if path.exists())

    @staticmethod
    def sweep(here: Owner, say: Say) -> tuple[str, ...]:
        """Remove the trials of dead runs; what that was."""
        removed = []
        for note in sorted(DROP_INS.glob(f"*.service.d/{NOTE}")):
            words = dict(
                line[2:].split(": ", 1) for line in note.read_text(encoding="utf-8").splitlines() if line[:2] == "# "
            )
            owner = parse_owner(words.get("owner", ""))
            if owner is None or life(owner, here) != "dead":
                continue
            folders = tuple(Path(word) for word in words.get("folders", "").split(":") if word)
            traces = Traces(Path(words["script"]), (note,), folders, words.get("user") or None)
            traces.remove(lambda _: None)
            removed.append(f"unit {note.parent.name.removesuffix('.d')}")
        if removed:
            say("removed what a killed run left behind: " + ", ".join(removed))
        return tuple(removed)


def traces_of(plan: Plan, script: Path, owner: Owner) -> Traces:
    """Note all that a trial of ``plan`` will make, where it is not there yet, in a drop-in of every unit."""
    names = unit_services(plan)
    states = [Path(state_folder(plan, name)) for name in names if not runs_code(plan, name)]
    code = [name for name in names if runs_code(plan, name)]
    volumes = {Path(volume_path(plan.spec, volume)) for name in code for volume in plan.spec.services[name].volumes}
    folders = (*states, *sorted(folder for folder in volumes if not folder.exists()))
    user = user_of(plan)
    there = run(("id", "-u", user), timeout_s=REMOVE_S, check=False).code == 0
    made = user if user_made(plan) and not there else ""
    lines = {"owner": owner.label, "script": str(script), "user": made, "folders": ":".join(map(str, folders))}
    text = "\n".join([*(f"# {key}: {value}" for key, value in lines.items()), *NO_RESTART, ""])
    notes = []
    for name in names:
        note = note_of(plan, name)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(text, encoding="utf-8")
        notes.append(note)
    return Traces(script, tuple(notes), folders, made or None)
