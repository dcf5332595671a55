"""A finished row with every prediction beside its boundary: mlpack's two, two rules of thumb, the unlimited peak."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.footprint.project import infos, planned, write_project
from bench.footprint.rows import SERVED, Row

from mlpack.flow.gather import gather
from mlpack.runtimes.times import WIDE_TIMES

REPEATED = "measurements.json"
ACCELERATE_FACTOR = 1.2
"""accelerate's rule for inference: 20 % over the weights (its documentation, "Model memory estimator")."""


def repeated(project: Path) -> list[int]:
    """The limits that followed from repeated measurements of the row in ``project``, oldest first; bytes."""
    kept = project / REPEATED
    return [int(limit) for limit in json.loads(kept.read_text())] if kept.exists() else []


def predictions(row: Row, cache: Path) -> dict[str, Any] | None:
    """The row as the table shows it, bytes; None where it has not run yet."""
    project = cache / "rows" / row.name
    kept = project / "result.json"
    if not kept.exists():
        return None
    found = json.loads(kept.read_text())
    write_project(row, project, cache / "weights")
    static, measured = planned(row, project, measured=False), planned(row, project, measured=True)
    assert static is not None
    models = infos(gather(project)).values()
    served, truth = SERVED[row.model], found["boundary"]["passed_bytes"]
    limits = {
        "measured": measured.limit_bytes if measured else None,
        "static": static.limit_bytes,
        "file": sum(info.size_bytes for info in models) * row.workers,
        "weights_x_1.2": round(ACCELERATE_FACTOR * sum(info.weights_bytes for info in models) * row.workers),
        "unlimited_peak": found["unlimited"]["peak_usage_bytes"],
    }
    each = repeated(project) or ([measured.limit_bytes] if measured else [])
    return {
        "row": row.name,
        "model": row.model,
        "how": row.how,
        "fork_point": static.plan.services["worker" if row.server == "celery" else "web"].fork_point,
        "fitted": served.fitted,
        "unbounded": any(reason != WIDE_TIMES for reason in static.footprint.widened),
        "boundary": truth,
        "failed_below": found["boundary"]["failed_bytes"],
        "failed_because": found["boundary"]["why"],
        "limits": limits,
        "measured_each": each,
        "ratios": {name: None if size is None else round(size / truth, 3) for name, size in limits.items()},
        "unlimited": found["unlimited"],
        "widened": list(static.footprint.widened),
    }
