"""Writes footprint.json from a verification of the running system: neither service answers without the other, so
`mlpack estimate --measure`, which runs one process alone, cannot measure them.

    mlpack verify prod              # under generous limits: rendered with memory: 1G for api and 4G for ray
    python footprint_from_verify.py # with mlpack's own Python
    mlpack render prod
"""

import re
from pathlib import Path

from mlpack.flow.gather import gather
from mlpack.flow.inputs import footprint_inputs
from mlpack.footprint import Footprint, FootprintFile, Region
from mlpack.lock import Lock
from mlpack.report import VerifyReport
from mlpack.units import MIB, parse_duration

HERE = Path(__file__).parent
MEASURED = ("api", "ray")
STORE_BYTES = 75 * MIB
"""Ray's least. Pictures of 64 x 64 travel with their calls, not through the store (Ray keeps arguments under 100 KiB
out of it): a verification with 50 requests at once saw at most 0.6 MiB in use."""


def said(report: VerifyReport, check: str, pattern: str) -> float:
    """The longest duration in the evidence of ``check`` that ``pattern`` finds, in seconds."""
    lines = next(result.evidence for result in report.checks if result.name == check)
    return max(parse_duration(found[1].replace(" ", "")) for line in lines if (found := re.search(pattern, line)))


def footprint(name: str, report: VerifyReport, lock: Lock) -> Footprint:
    """One process of service ``name``: what its container needed, less what the plan adds by itself."""
    plan = lock.plan.services[name]
    worst = max((m for m in report.services if m.service == name), key=lambda measured: measured.peak_need_bytes)
    rows = {term.name: term.total_bytes for term in plan.memory.serve_terms}
    beside = rows.get(f"{plan.server} master", 0) + rows.get("health check", 0)
    further = rows.get("kernel, further processes", 0)
    because = f"the container's peak in a verification, {report.load.concurrency} requests at once"

    def region(label: str, stage: str, kind: str, count: int, per: str = "process") -> Region:
        values = {"name": label, "stage": stage, "kind": kind, "per": per, "bytes": max(0, count)}
        return Region(**values, lower_bytes=max(0, count), source="measured", because=because)

    regions = [
        region("process", "import", "anonymous", (worst.peak_anonymous_bytes - beside) // plan.workers.value),
        region("libraries mapped", "import", "mapped", worst.peak_mapped_bytes),
        region("kernel", "import", "kernel", worst.peak_kernel_bytes - further),
    ]
    if name == "ray":
        regions.append(region("object store", "serve", "shm", STORE_BYTES))
    gathered = gather(HERE, ("prod",))
    # measured while all replicas loaded at once; a plan multiplies it again by those that will
    at_once = max(1.0, plan.workers.value * plan.replicas.value / lock.world.host.cores)
    infos = {model: info for model, info in gathered.present.items() if info is not None}
    return Footprint(
        service=name,
        source="measured",
        regions=tuple(regions),
        concurrency=plan.concurrency.value,
        threads=plan.threads.value,
        load_s=round(said(report, "ready", rf"^{name}-\d+: healthy after ([^(]+) \(") / at_once, 2),
        request_s=said(report, "answers", r"^large: .*\((.+)\)$"),
        inputs_sha256=footprint_inputs(gathered, name, infos),
    )


def main() -> None:
    report = VerifyReport.model_validate_json((HERE / "deploy/prod/verify.json").read_text())
    lock = Lock.model_validate_json((HERE / "deploy/prod/mlpack.lock").read_text())
    found = {name: footprint(name, report, lock) for name in MEASURED}
    (HERE / "footprint.json").write_text(FootprintFile(services=found).to_json())


if __name__ == "__main__":
    main()
