"""Does the memory fit as planned: under the limit without thrashing or kills, and as much as was predicted?"""

from __future__ import annotations

from mlpack.estimate import limit_bytes
from mlpack.plan import ServicePlan
from mlpack.report import Patch, ServiceMeasurement
from mlpack.units import MIB, show_bytes, show_mib
from mlpack.verify.rest import with_rest
from mlpack.verify.run import Answer, Run
from mlpack.verify.watch import Watch

NAME = "memory"
NEEDS = ("ready",)
MEASURED_BAND = (0.85, 1.15)
"""Peak need over prediction, where the footprint was measured."""
ESTIMATE_OVER = 1.15
"""An estimate may be too high (down to the surely needed lower bound), but no more than this too low."""
UNCHARGED_SHARE = 0.02
"""Of the limit: mapped pages that others paid for. Other containers of the same base image share its libraries."""
REFAULT_SHARE = 0.01
"""Of the mapped bytes, read back from disk per request: more is thrashing (docs/memory.md)."""


def check(run: Run) -> Answer:
    """Judge every service; one that is over its limit or outside its band fails the check."""
    evidence: list[str] = []
    wrong: list[str] = []
    unproven: list[str] = []
    run.measurements = tuple(
        with_rest(run, w, w.measurement(run.service(w.instance), run.load_requests)) for w in run.watches
    )
    for watch, measured in zip(run.watches, run.measurements, strict=True):
        service = run.service(watch.instance)
        evidence.append(_sum(watch, measured))
        wrong += _over(watch, measured, service)
        if run.load is None:
            unproven.append(f"{watch.instance.name}: without the load its peak is not known")
        else:
            _judge_band(watch, measured, service, evidence, wrong)
            _judge_refault(watch, measured, evidence, wrong, unproven)
            _judge_cache(run, watch, measured, evidence, unproven)
        if watch.sampler.fault is not None:
            unproven.append(f"{watch.instance.name}: its memory was not read throughout: {watch.sampler.fault}")
        if not watch.own_group or not run.limited(watch.instance):
            unproven.append(f"{watch.instance.name}: nothing limits it here, so the limit itself is not tried")
    if wrong:
        hint = (
            "`mlpack verify --calibrate` (or `mlpack estimate --measure`) corrects the footprint; then `mlpack render`"
        )
        kind: str | None = None  # a kill's own kind and remedy, where there was one
        if not [run.cause(watch.instance) for watch in run.watches if watch.oom_kills()]:
            over = any(watch.peaks().need_bytes > _limit(run, watch) for watch in run.watches)
            kind = "limit-too-low" if over else "prediction-off"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence, *unproven), hint, _patches(run), kind)
    if unproven:
        return Answer("not_proven", unproven[0], (*unproven[1:], *evidence))
    return Answer("passed", "within limit and prediction, nothing killed, nothing read twice", tuple(evidence))


def _patches(run: Run) -> tuple[Patch, ...]:
    """Where the user's own limit is what does not fit: the limit that the measured need asks for."""
    found = []
    for watch, measured in zip(run.watches, run.measurements, strict=True):
        name = measured.service
        own = run.plan.spec.services[name].memory_bytes
        wanted = limit_bytes(0, measured.peak_need_bytes, measured.peak_mapped_bytes)
        thrashes = (watch.load_refault_bytes() or 0) > REFAULT_SHARE * measured.peak_mapped_bytes * measured.requests
        if own is not None and wanted > own and (measured.peak_need_bytes > own or thrashes):
            reason = f"{show_mib(measured.peak_need_bytes)} were needed, and the rule's headroom belongs on top"
            path, after = f"services.{name}.memory", f"{wanted // MIB}M"
            found.append(Patch(path=path, before=f"{own // MIB}M", after=after, reason=reason))
    return tuple(found)


def _limit(run: Run, watch: Watch) -> int:
    return run.service(watch.instance).memory.limit_bytes.value


def band(service: ServicePlan) -> tuple[int, int, str]:
    """Least and most bytes that the peak need may be, and in words which band that is."""
    predicted = service.memory.peak_bytes
    if service.footprint_source == "measured":
        low, high = MEASURED_BAND
        words = f"{low:g}-{high:g} of the measured prediction"
        allowed = allowance_bytes(service)
        if allowed:
            words += f", of it {show_mib(allowed)} allowances that need not be used up"
        return round(low * (predicted - allowed)), round(high * predicted), words
    if service.footprint_source == "default":
        return 0, round(ESTIMATE_OVER * predicted), f"at most {ESTIMATE_OVER:g} of what such a program is given"
    words = f"from the surely needed {show_mib(service.memory.lower_bytes)} to {ESTIMATE_OVER:g} of the estimate"
    return service.memory.lower_bytes, round(ESTIMATE_OVER * predicted), words


def allowance_bytes(service: ServicePlan) -> int:
    """What the predicted peak counts that nobody measured: the master, the health check, kernel pages, files in /tmp,
    passing memory of the load. All are upper bounds, and of a small service they are half of the prediction."""
    memory = service.memory
    terms = memory.load_terms if memory.load_bytes > memory.serve_bytes else memory.serve_terms
    return sum(term.each_bytes * term.count for term in terms if term.source != "measured")


def held_bytes(measured: ServiceMeasurement, service: ServicePlan) -> int:
    """The peak need without mapped pages beyond the planned ones: /proc shows all that were touched, the start's too,
    which are evicted where room is short; whether serving needs them, refaults tell."""
    return measured.peak_need_bytes - max(0, measured.peak_mapped_bytes - service.memory.mapped_bytes)


def _sum(watch: Watch, measured: ServiceMeasurement) -> str:
    return (
        f"{watch.instance.name}: needs {show_mib(measured.peak_need_bytes)} of {show_mib(measured.limit_bytes)}: "
        f"anonymous {show_mib(measured.peak_anonymous_bytes)}, mapped {show_mib(measured.peak_mapped_bytes)}, "
        f"kernel {show_mib(measured.peak_kernel_bytes)}; predicted {show_mib(measured.predicted_bytes)}"
    )


def _over(watch: Watch, measured: ServiceMeasurement, service: ServicePlan) -> list[str]:
    wrong = []
    name = watch.instance.name
    if measured.oom_kills:
        wrong.append(f"{name}: the kernel killed {measured.oom_kills} processes for memory (oom_kill)")
    if held_bytes(measured, service) > measured.limit_bytes:
        needs, limit = show_mib(held_bytes(measured, service)), show_mib(measured.limit_bytes)
        wrong.append(f"{name} needs {needs}, its limit is {limit}: it would thrash or be killed")
    return wrong


def _judge_band(
    watch: Watch, measured: ServiceMeasurement, service: ServicePlan, evidence: list[str], wrong: list[str]
) -> None:
    low, high, words = band(service)
    held = held_bytes(measured, service)
    share = held / measured.predicted_bytes if measured.predicted_bytes else 0.0
    line = f"{watch.instance.name}: {share:.2f} of the prediction, allowed: {words}"
    (evidence if low <= measured.peak_need_bytes and held <= high else wrong).append(line)


def _judge_cache(
    run: Run, watch: Watch, measured: ServiceMeasurement, evidence: list[str], unproven: list[str]
) -> None:
    """A limit is proven only if the pages the service maps were charged to it, not to whoever cached them first."""
    uncharged = watch.uncharged_bytes()
    if uncharged is None:
        return
    line = f"{watch.instance.name}: {show_mib(uncharged)} of its mapped files were cached by others, and not charged"
    if uncharged > UNCHARGED_SHARE * measured.limit_bytes:
        why = f" ({run.cache_warm})" if run.cache_warm else ""
        unproven.append(f"{line}: cache warm, limit not proven{why}")
    else:
        evidence.append(line)


def _judge_refault(
    watch: Watch, measured: ServiceMeasurement, evidence: list[str], wrong: list[str], unproven: list[str]
) -> None:
    refaults = watch.load_refault_bytes()
    if refaults is None:
        unproven.append(f"{watch.instance.name}: file refaults are not counted here, so thrashing is not ruled out")
        return
    each = refaults / max(1, measured.requests)
    line = f"{watch.instance.name}: {show_bytes(round(each))} read back from disk per request under load"
    allowed = REFAULT_SHARE * measured.peak_mapped_bytes
    if each > allowed:
        wrong.append(f"{line}, more than 1 % of the mapped {show_mib(measured.peak_mapped_bytes)}: it thrashes")
    else:
        evidence.append(line)
