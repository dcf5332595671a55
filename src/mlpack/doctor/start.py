"""Why the engine or systemd could not start it at all, from their own words."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.doctor.facts import Diagnosis, Facts
from mlpack.launchers.start_error import PLATFORM, PORT

SYSTEMD: dict[int, tuple[str, str, str]] = {
    200: ("no-folder", "its working directory is not there", "WorkingDirectory= of the unit; run the installer again"),
    203: ("no-command", "its program cannot be executed", "ExecStart= of the unit: is the environment installed?"),
    217: ("no-user", "its user does not exist", "run the installer again: it makes the user"),
    226: ("sandbox", "a path of its sandbox is not there", "folders in ReadWritePaths= must exist before the start"),
}
"""Exit codes that systemd itself uses. Source: systemd.exec(5), process exit codes."""
ENGINE: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (PORT, "port-taken", "its port is taken on this machine", "stop what holds the port, or publish another one"),
    (
        PLATFORM,
        "architecture",
        "the image is for another processor than this machine's",
        "build for this machine: build.platform in mlpack.yaml, or `platform:` in the compose file",
    ),
    (
        ("could not select device driver", "nvidia-container-cli"),
        "no-gpu",
        "it asks for a graphics card, which the engine cannot give",
        "install the NVIDIA container toolkit, or render without the profile gpu",
    ),
    (
        ("executable file not found", ": stat /"),
        "no-command",
        "its command is not in the image",
        "is the server in the requirements? is PATH replaced?",
    ),
    (
        ("error mounting", "not a directory", "invalid mount config", "bind source path does not exist"),
        "mount",
        "a folder or file that is mounted into it is not there, or is of the other kind",
        "make it before the start: a missing file that is mounted becomes a folder",
    ),
    (("permission denied",), "not-executable", "its command may not be executed", "chmod +x, or name the interpreter"),
)


def not_started(facts: Facts) -> Iterator[Diagnosis]:
    """What the keeper's own error says; for a container of another architecture, what its image says."""
    if facts.kind == "unit" and not facts.running and facts.exit_code in SYSTEMD:
        kind, words, change = SYSTEMD[facts.exit_code]
        evidence = (f"systemd ended it with {facts.exit_code}", *facts.logs[-3:])
        yield Diagnosis(kind=kind, words=f"{facts.name}: {words}", sureness="certain", evidence=evidence, change=change)
        return
    if facts.kind == "unit" and facts.error == "timeout" and not facts.running:
        words = f"{facts.name} did not say in time that it was ready, or did not stop in time"
        change = "TimeoutStartSec= must cover the load, TimeoutStopSec= the longest request: measure and render again"
        yield Diagnosis(
            kind="unit-timeout",
            words=words,
            sureness="certain",
            evidence=("Result=timeout", *facts.logs[-5:]),
            change=change,
        )
    differ = facts.image_architecture and facts.machine_architecture
    if differ and facts.image_architecture != facts.machine_architecture and not facts.running:
        evidence = (
            f"the image {facts.image} is for {facts.image_architecture}, this machine is {facts.machine_architecture}",
            *((facts.error,) if facts.error else facts.logs[-2:]),
        )
        _, kind, words, change = ENGINE[1]
        yield Diagnosis(kind=kind, words=f"{facts.name}: {words}", sureness="certain", evidence=evidence, change=change)
        return
    lowered = facts.error.lower()
    for marks, kind, words, change in ENGINE if facts.kind == "container" and not facts.running else ():
        if any(mark.lower() in lowered for mark in marks):
            evidence = (facts.error, *facts.port_holders)
            yield Diagnosis(
                kind=kind, words=f"{facts.name}: {words}", sureness="certain", evidence=evidence, change=change
            )
            return


def never_started(facts: Facts) -> Iterator[Diagnosis]:
    """It was made, and that is all that is known."""
    if facts.status != "created":
        return
    if facts.error:
        words, change = f"the engine could not start {facts.name}", "the engine says why"
        yield Diagnosis(kind="not-started", words=words, sureness="certain", evidence=(facts.error,), change=change)
    else:
        words = f"{facts.name} was made and never started"
        change = "something that it waits for did not become healthy? look at the other containers"
        yield Diagnosis(kind="not-started", words=words, sureness="likely", change=change)
