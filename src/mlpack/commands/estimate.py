"""``mlpack estimate PATH``: what a model file needs, from its header alone. Imports nothing of planning: quick."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from mlpack.console import Align, harmless, heading, say, table
from mlpack.errors import ExitCode, UsageError
from mlpack.estimate import PathEstimate, estimate_path, model_row, region_rows, totals
from mlpack.footprint import Footprint
from mlpack.formats import inspect
from mlpack.model import ModelInfo
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.detect import candidates
from mlpack.spec import LoadDtype, MaxInput, Model, RuntimeName
from mlpack.units import counted, show_bytes, show_duration, show_mib


@dataclass(frozen=True)
class Asked:
    """What was said of the models beside their paths."""

    max_input: MaxInput | None = None
    dtype: LoadDtype | None = None
    runtime: RuntimeName | None = None


def asked_of(
    *, tokens: int | None, shape: str | None, batch: int | None, dtype: str | None, runtime: str | None
) -> Asked:
    """The options of a path, checked. Raises UsageError."""
    sizes = None
    if shape is not None:
        words = shape.replace("x", ",").split(",")
        if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
            raise UsageError(f"--shape {shape!r} is no list of sizes", hint="numbers above 0, with commas: 3,224,224")
        sizes = tuple(int(word) for word in words)
    given = tokens is not None or sizes is not None or batch is not None
    return Asked(
        max_input=MaxInput(shape=sizes, batch=batch or 1, tokens=tokens) if given else None,
        dtype=_one_of("--dtype", dtype, get_args(LoadDtype)),
        runtime=_one_of("--runtime", runtime, get_args(RuntimeName)),
    )


def _one_of(option: str, given: str | None, known: tuple[Any, ...]) -> Any:
    if given is not None and given not in known:
        raise UsageError(f"{option} {given!r} is not known", hint=f"one of: {', '.join(known)}")
    return given


def require_effect(
    *,
    paths: bool,
    measure: bool,
    sets: bool,
    only_measured: Mapping[str, object],
    only_of_paths: Mapping[str, object],
) -> None:
    """Raises UsageError for options that would do nothing: whoever gave them would believe the answer measured.

    ``only_measured``: options by name that only a measurement heeds, with what was given. ``only_of_paths``: those that
    belong to a path, and in a project to mlpack.yaml.
    """
    beside = [] if paths else [name for name, given in only_of_paths.items() if given is not None]
    if beside:
        hint = "in a project mlpack.yaml says it: models.X.max_input (tokens, shape, batch), models.X.dtype, .runtime"
        raise UsageError(f"{', '.join(beside)} would do nothing without a PATH", hint=hint)
    lost = ["--measure"] * measure + ["--set"] * sets if paths else []
    if paths or not measure:
        lost += [name for name, given in only_measured.items() if given]
    if lost:
        hint = "leave the paths out, in a project's folder" if paths else "add --measure"
        raise UsageError(f"{', '.join(lost)} would do nothing here: headers alone are read", hint=hint)


def paths_command(paths: tuple[Path, ...], asked: Asked, *, as_json: bool) -> int:
    """Estimate model files or folders without any spec. Raises ModelFileError for the first that is none."""
    found = [(path, _estimated(path, asked)) for path in paths]
    if as_json:
        say(json.dumps([_as_json(path, one) for path, one in found], indent=2))
        return ExitCode.OK
    for path, one in found:
        show_model(str(path), one.info)
        if one.footprint is None:
            say("no runtime of mlpack's serves this format: only its size is known")
        else:
            show_footprint(f"one process of {one.runtime} with this model", one.footprint)
    say(
        "These are estimates from headers, without the app's code and its server. For numbers to rely on: "
        "`mlpack init` in the app's folder, then `mlpack estimate --measure`."
    )
    return ExitCode.OK


def _estimated(path: Path, asked: Asked) -> PathEstimate:
    """One path. Raises UsageError for a runtime that cannot run it."""
    info = inspect(path)
    if asked.runtime is not None and info.format not in RUNTIMES[asked.runtime].FACTS.formats:
        able = candidates(RUNTIMES, info, None)
        hint = f"what does: {', '.join(able)}" if able else "no runtime of mlpack's does: its size is all that is known"
        raise UsageError(f"{asked.runtime} does not run {info.format}, which {path} is", hint=hint)
    model = Model(path=str(path), max_input=asked.max_input, dtype=asked.dtype)
    return estimate_path(info, runtime=asked.runtime, model=model)


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
    whole, once = totals(footprint), footprint.concurrency == 1
    say(
        f"together, with {counted(footprint.concurrency, 'request')}{'' if once else ' at once'}: "
        f"{show_mib(whole.peak_bytes)}, at least {show_mib(whole.lower_bytes)}; under a limit of its own it needs "
        f"{show_mib(whole.limit_bytes)}"
    )
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
    together = asdict(totals(one.footprint)) if one.footprint else None
    known = {"schema_version": 1, "path": str(path), **row, "runtime": one.runtime}
    return {**known, "footprint": footprint, "together": together}
