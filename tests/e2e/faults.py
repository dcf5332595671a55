"""The table of planted faults: how each is planted, which check must fail, and what the report must say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.verify import hand

from mlpack.footprint import Footprint, Region
from mlpack.plan import ServicePlan
from mlpack.spec import Request, Service, Spec, Verify
from mlpack.units import MIB
from mlpack.verify.checks import CHECKS

CONF = ("--config", "/opt/hand/faults.conf.py")


@dataclass(frozen=True)
class Fault:
    """One kind. ``compose``: keys of the service in the compose file; ``plan``: numbers of the plan beside the usual;
    ``says``: words of the failing check; ``patches``: what it proposes to change in mlpack.yaml."""

    failing: str
    says: tuple[str, ...]
    kind: str | None = None
    patches: tuple[str, ...] = ()
    mode: str = ""
    arguments: tuple[str, ...] = ()
    compose: dict[str, Any] = field(default_factory=dict)
    plan: dict[str, Any] = field(default_factory=dict)
    update: dict[str, Any] = field(default_factory=dict)
    """Fields of the service's plan, decided by hand."""
    requests: int = 8
    concurrency: int | None = None
    max_body_bytes: int | None = None
    also: tuple[str, ...] = ()
    """Further checks that must run before it."""
    footprint_mib: int = 0
    """Of weights, in a footprint of the lock; 0: the lock has none."""

    @property
    def needs(self) -> frozenset[str]:
        """The failing check and all that it needs: nothing else is asked."""
        found = [self.failing, *self.also]
        for name in found:
            found += [other for other in CHECKS[name].NEEDS if other not in found]
        return frozenset(found)

    @property
    def skip(self) -> tuple[str, ...]:
        """Checks that this fault has nothing to do with: each would take its seconds."""
        return tuple(name for name in CHECKS if name not in self.needs)


def service_of(fault: Fault) -> ServicePlan:
    """The plan of the matrix app; its supervisor and two workers need 30 MiB, and 37 while a health check runs."""
    values = {"start_period_s": 10, **fault.plan}
    health_s = values.pop("health_timeout_s", None)
    limit_mib, peak_mib = values.pop("limit_mib", 128), values.pop("peak_mib", 33)
    mapped = values.pop("mapped_mib", 10) * MIB
    memory = hand.memory_plan(limit_mib * MIB, peak_bytes=peak_mib * MIB, mapped_bytes=mapped)
    service = hand.service_plan(memory=memory, footprint_source="estimated", **values)
    if health_s is not None and service.health is not None:
        service = service.model_copy(
            update={"health": service.health.model_copy(update={"timeout_s": hand.d(health_s)})}
        )
    return service.model_copy(update=fault.update)


def spec_of(fault: Fault) -> Spec:
    """One service ``web``, one request that expects ``{"y": 42}``."""
    web = Service(
        server="gunicorn",
        app="app:app",
        interface="wsgi",
        port=8000,
        health="/health",
        max_body_bytes=fault.max_body_bytes,
    )
    asked: dict[str, Request] = hand.spec().requests
    return hand.spec(
        asked, services={"web": web}, verify=Verify(requests=fault.requests, concurrency=fault.concurrency)
    )


def footprints_of(fault: Fault) -> dict[str, Footprint]:
    """What the lock says of one process."""
    if not fault.footprint_mib:
        return {}
    weights = Region(
        name="weights",
        stage="load",
        kind="anonymous",
        per="process",
        bytes=fault.footprint_mib * MIB,
        lower_bytes=fault.footprint_mib * MIB,
        source="measured",
        because="by hand",
    )
    return {"web": Footprint(service="web", source="measured", regions=(weights,), load_s=1.0, request_s=0.01)}


PRELOAD: dict[str, Any] = {"preload": hand.d(True), "fork_point": "after-load"}
QUICK = hand.service_plan().times.model_copy(update={"request_s": hand.d(0.1)})
SHORT = hand.service_plan().times.model_copy(update={"worker_s": hand.d(2)})
TMPFS = {"tmpfs": ["/tmp:size=8m,mode=1777"]}
ALONE = {"workers": 1, "command": ["python3", "/opt/hand/app.py"]}
SLOW = {"environment": {"SLEEP_S": "0.5"}}

FAULTS: dict[str, Fault] = {
    # it does not come up
    "crash": Fault("ready", ("ended with exit code", "ValueError: the weights are corrupt"), "app-error"),
    "no-module": Fault("ready", ("nobody_has_this", "requirements"), "missing-module"),
    "no-library": Fault("ready", ("libGL.so.1",), "missing-library", ("build.apt",)),
    "shm-full": Fault("ready", ("/dev/shm is full",), "shm-full"),
    "disk-full": Fault("ready", ("no space is left",), "disk-full", compose=TMPFS),
    "read-only": Fault(
        "ready",
        ("/opt/hand/cache/compiled.bin", "read-only"),
        "read-only",
        ("volumes.cache.mount", "services.web.volumes"),
        compose={"read_only": True, "tmpfs": ["/tmp:mode=1777"]},
    ),
    "no-permission": Fault("ready", ("its user may not use /opt/hand/cache.bin",), "no-permission"),
    "missing-file": Fault("ready", ("/opt/hand/weights.bin is not there",), "missing-file"),
    "port-taken": Fault("ready", ("the port is taken",), "port-taken"),
    "pids": Fault("ready", ("no further thread",), "pids-limit", compose={"pids_limit": 40}),
    "another processor": Fault(
        "ready",
        ("another processor",),
        "architecture",
        ("build.platform",),
        compose={"command": ["/opt/hand/alien"], "init": False},
    ),
    "no command": Fault("ready", ("is not in the image",), "no-command", compose={"command": ["nobody-has-this"]}),
    "oom-at-load": Fault("ready", ("for memory", "oom_kill"), "oom", ("services.web.memory",)),
    "never": Fault("ready", ("not ready within", "status 503"), plan={"start_period_s": 1}),
    # it comes up and is wrong
    "early": Fault("ready", ("first inference", "status 503")),
    "wrong": Fault("ready", ("wrong answer", "y")),
    "one-wrong": Fault("every_worker", ("wrong answer",)),
    "oom": Fault("ready", ("for memory", "oom_kill"), "oom", ("services.web.memory",)),
    "slow": Fault(
        "ready",
        ("took too long", "WORKER TIMEOUT"),
        "timeout-kill",
        ("services.web.timeout",),
        arguments=("--timeout", "1"),
    ),
    "one-hung": Fault(
        "every_worker", ("1 of 2 workers answered",), arguments=("--timeout", "0"), update={"times": QUICK}
    ),
    "fork-deadlock": Fault(
        "ready",
        ("was held when they were forked", "misbehave (app.py"),
        "fork-deadlock",
        ("services.web.preload",),
        arguments=("--preload", "--timeout", "0"),
        update={**PRELOAD, "times": QUICK},
    ),
    "one worker less": Fault("every_worker", ("1 of 2 workers",), compose={"workers": 1}),
    "variable not in force": Fault(
        "planned", ("OMP_NUM_THREADS is None, planned '1'",), plan={"environment": {"OMP_NUM_THREADS": "1"}}
    ),
    "limit not in force": Fault("planned", ("memory limit 128 MiB, planned 256 MiB",), plan={"limit_mib": 256}),
    "root": Fault("user", ("user 0", "root's rights"), "root", compose={"user": "0"}),
    "loaded-twice": Fault("models_once", ("each worker shares",), "loaded-twice", update=PRELOAD, footprint_mib=24),
    # it bears no load
    "hangs-later": Fault(
        "load",
        ("timed out", "health says 200 all the while"),
        "health-green-when-hung",
        arguments=("--threads", "12", "--timeout", "0"),
        requests=50,
    ),
    "prediction off": Fault(
        "memory", ("of the prediction, allowed",), "prediction-off", plan={"peak_mib": 20}, also=("load",)
    ),
    "oom-child": Fault(
        "memory",
        ("the kernel killed", "for memory (oom_kill)"),
        "oom",
        ("services.web.memory",),
        requests=100,  # a worker's fortieth starts the child
        concurrency=1,
        also=("load",),
    ),
    "mapped": Fault(
        "memory",
        ("its limit is 72 MiB", "it would thrash"),
        "limit-too-low",
        compose={"memory": "72m"},
        plan={"limit_mib": 72, "peak_mib": 100, "mapped_mib": 80},
        requests=160,  # mapped pages are read from smaps, less often than counters
        also=("load",),
    ),
    "busy and red": Fault(
        "health_busy",
        ("went wrong while its workers were busy", "timed out"),
        "health-red-when-busy",
        compose=SLOW,
        plan={"health_timeout_s": 1},
        requests=16,
        concurrency=8,
    ),
    "forty": Fault(
        "threads",
        ("computed for a burst", "1 request x 1 thread planned"),
        "unbounded-concurrency",
        ("services.web.concurrency",),
        arguments=("--threads", "40"),
        update={"runtimes": ("torch",)},
    ),
    "leak": Fault("growth", ("of every request",), "leak", ("services.web.recycle",), requests=4),
    "fragile": Fault("refuses", ("broken input ended",), "worker-lost"),
    "swallows": Fault("refuses", ("was not answered within",), "hangs-on-broken-input"),
    "greedy": Fault("refuses", ("was not refused (status 200)",), "not-refused", max_body_bytes=2 * MIB),
    # accidents
    "green": Fault("health_hung", ("while all of its 2 workers are frozen",), "health-green-when-hung", arguments=CONF),
    "gone": Fault("recovers", ("1 of 2 workers live",), "gone", arguments=CONF),
    "hung for good": Fault(
        "recovers",
        ("a worker that hangs is still there", "the plan states 2 s"),
        "hung-stays",
        arguments=("--timeout", "0"),
        update={"times": SHORT},
    ),
    "not restarted": Fault(
        "recovers",
        ("did not come back", "its restart policy is no"),
        "not-restarted",
        compose={**ALONE, "restart": "no"},
        plan={"server": "uvicorn", "workers": 1},
    ),
    "writes": Fault("writes", ("/var/tmp/",), "writes-outside", also=("ready",)),
    "deaf": Fault("stops", ("did not stop within its grace period",), "no-graceful-stop", arguments=CONF),
    "cut off": Fault(
        "stops",
        ("requests in flight were cut off",),
        "cut-off",
        arguments=("--graceful-timeout", "1"),
        compose={"environment": {"SLEEP_S": "2"}},
        requests=4,
        concurrency=2,
        also=("load",),
    ),
}
"""Kind -> fault. Keys without a MODE of their own plant it by the compose file or the plan."""
