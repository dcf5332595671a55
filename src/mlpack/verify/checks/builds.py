"""Can what was rendered be built here? (Local processes: is the Python with the app's packages there?)"""

from __future__ import annotations

from mlpack.launchers.build_log import BuildFailed
from mlpack.verify.run import Answer, Run

NAME = "builds"
NEEDS: tuple[str, ...] = ()


def check(run: Run) -> Answer:
    """Build; a failure names the step and quotes its last lines."""
    try:
        run.built = run.launched.build()
    except BuildFailed as error:
        return Answer("failed", error.what, error.failure.lines, error.hint)
    return Answer("passed", "built", run.built.evidence)
