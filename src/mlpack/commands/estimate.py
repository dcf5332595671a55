"""``mlpack estimate PATH``: what a model file needs, from its header alone. Imports nothing of planning: quick."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from mlpack.console import Align, harmless, heading, say, table
from mlpack.errors import ExitCode, UsageError
from mlpack.estimate import PathEstimate, estimate_path, model_row, region_rows
from mlpack.footprint import Footprint
from mlpack.formats import inspect
from mlpack.model import ModelInfo
from mlpack.units import show_bytes, show_duration, show_mib


def require_effect(*, paths: bool, measure: bool, sets: bool, only_measured: Mapping[str, object]) -> None:
    """Raises UsageError for options that would do nothing: whoever gave them would believe the answer measured.

    ``only_measured``: options by name that only a measurement heeds, with what was given.
    """
    lost = ["--measure"] * measure + ["--set"] * sets if paths else []
    if paths or not measure:
        lost += [name for name, given in only_measured.items() if given]
    if lost:
        hint = "leave the paths out, in a project's folder" if paths else "add --measure"
        raise UsageError(f"{', '.join(lost)} would do nothing here: headers alone are read", hint=hint)


def paths_command(paths: tuple[Path, ...], *, as_json: bool) -> int:
    """Estimate model files or folders without any spec. Raises ModelFileError for the first that is none."""
    found = [(path, estimate_path(inspect(path))) for path in paths]
    if as_json:
        say(json.dumps([_as_json(path, one) for path, one in found], indent=2))
        return ExitCode.OK
    for path, one in found:
        show_model(str(path), one.info)
        if one.footprint is None:
            say("no runtime of mlpack's serves this format: only its size is known")
        else:
            show_footprint(f"one process of {one.runtime} with this model", one.footprint)
    return ExitCode.OK


def show_model(title: str, info: ModelInfo) -> None:
    """Format, parameters and bytes by dtype of one model."""
    row = model_row(info)
    heading(title)
    facts = [
        ("format", row.format),
        ("architecture", row.architecture or "not told by the header"),
        ("parameters", "not told by the header" if row.parameters is None else f"{row.parameters:,}"),
        *((f"  {dtype}", f"{count:,} in {show_bytes(size)}") for dtype, count, size in row.dtypes),
        ("on disk", f"{show_bytes(row.size_bytes)} in {len(info.files)} file{'s' if len(info.files) > 1 else ''}"),
        ("can be mapped", "yes" if row.mappable else "no"),
        *(("unknown", text) for text in row.unknown),
    ]
    table(("what", "value"), facts)
    say("")


def show_footprint(title: str, footprint: Footprint) -> None:
    """The regions of one process, and why an estimate is wide."""
    heading(f"{title} ({footprint.source}; first answer after {show_duration(footprint.load_s)})")
    rows = [
        (r.name, r.stage, r.kind, r.per, show_mib(r.bytes), show_mib(r.lower_bytes), r.because)
        for r in region_rows(footprint)
    ]
    align: tuple[Align, ...] = ("left", "left", "left", "left", "right", "right")
    table(("region", "stage", "kind", "per", "plan for", "at least", "because"), rows, align)
    for reason in footprint.widened:
        say(harmless(f"wide: {reason}"))
    if footprint.source == "measured":
        for line in how_measured(footprint):
            say(line)
    say("")


def how_measured(footprint: Footprint) -> tuple[str, ...]:
    """What a measurement holds for, what it says of preloading, and what stays of every request."""
    threads = "" if footprint.threads is None else f", {footprint.threads} threads each"
    lines = [f"measured with {footprint.concurrency} requests at once{threads}: valid up to these"]
    if footprint.fork_proven:
        lines.append("preload: proven, both processes that were forked after the load answered")
    elif footprint.fork_refused is not None:
        lines.append(f"preload: no; {footprint.fork_refused}")
    growth = footprint.growth_bytes_per_request
    if growth is None:
        lines.append("growth: not looked for")
    elif growth:
        lines.append(
            f"growth: {show_bytes(round(growth))} stay of every request; workers are recycled where that is much"
        )
    else:
        lines.append("growth: none seen over many requests")
    if footprint.refault_bytes:
        lines.append(
            f"refaults: {show_bytes(footprint.refault_bytes)} were read again from disk while requests ran: memory was "
            "short meanwhile, and what had been evicted is not counted; measure again with more of it free"
        )
    elif footprint.refault_bytes is not None:
        lines.append("refaults: none while requests ran")
    return tuple(lines)


def _as_json(path: Path, one: PathEstimate) -> dict[str, object]:
    """One model as data: counts exact, the regions of its likely runtime."""
    row = asdict(model_row(one.info))
    row["dtypes"] = {dtype: {"parameters": count, "bytes": size} for dtype, count, size in model_row(one.info).dtypes}
    footprint = one.footprint.model_dump(mode="json") if one.footprint else None
    return {"schema_version": 1, "path": str(path), **row, "runtime": one.runtime, "footprint": footprint}
