"""What docs/examples.md says of the queues' benches is what they printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlpack.verify.checks.memory import ESTIMATE_OVER, MEASURED_BAND

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["documents"])
def test_nothing_was_lost_and_the_memory_table_is_the_runs(name: str) -> None:
    path = ROOT / "bench" / name / "result.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    trial = said["trial"]
    assert (trial["lost"], trial["ended_otherwise"], trial["wrong_results"]) == (0, 0, 0)
    assert trial["tasks"] == 200
    assert trial["kills"] >= 20
    assert "the broker restarted" in trial["happened"]
    part = DOCS.partition(f"(`bench/{name}`)")[2].partition("\n## ")[0]
    assert str(trial["seed"]) in part
    runs = [said[key] for key in ("memory", "memory_largest") if key in said]
    for service, row in runs[-1].items():  # the present limits; a run with deaths may be older
        peaks = [run[service]["peak_mib"] for run in runs]
        words = (service, row["limit_mib"], row["predicted_mib"], *peaks)
        assert f"| {' | '.join(map(str, words))} |" in part
        assert all(run[service]["peak_mib"] <= run[service]["limit_mib"] for run in runs)
        assert not any(run[service]["oom_kills"] for run in runs)
        low, high = MEASURED_BAND if row["prediction"] == "measured" else (0, ESTIMATE_OVER)
        assert low <= max(run[service]["of_prediction"] for run in runs) <= high, (service, row)
    assert f"{said['sum_of_limits_mib']:,} MiB" in part
    assert said["sum_of_limits_mib"] == sum(row["limit_mib"] for row in runs[-1].values())
    assert said["sum_of_limits_mib"] <= said["budget_mib"]
