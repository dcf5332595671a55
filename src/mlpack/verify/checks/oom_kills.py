"""Was anything killed for memory, whoever noticed? A child that dies in a living container leaves only a counter."""

from __future__ import annotations

from mlpack.verify.run import Answer, Run

NAME = "oom_kills"
NEEDS = ("starts",)


def check(run: Run) -> Answer:
    """Read every control group's counter of kills, of the whole time since the start."""
    evidence: list[str] = []
    unread: list[str] = []
    for watch in run.watches:
        kills, name = watch.oom_kills(), watch.instance.name
        if kills:
            cause = run.cause(watch.instance)
            lives = "; the container lives on" if watch.instance.state().running else ""
            return Answer("failed", f"{cause.words}{lives}", cause.evidence, cause.hint)
        if watch.own_group:
            evidence.append(f"{name}: oom_kill 0")
        else:
            unread.append(f"{name}: it has no control group of its own, so that nobody counts its kills")
    if unread:
        return Answer("not_proven", unread[0], (*unread[1:], *evidence))
    return Answer("passed", "nothing was killed for memory", tuple(evidence))
