"""Whether the planned redelivery reaches the broker: only the app can set it, so somebody must tell the app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlpack.plan import ServicePlan
from mlpack.report import Finding
from mlpack.spec import Spec
from mlpack.units import show_duration

REDIS_DEFAULT_S = 3600
"""kombu's Redis transport where the app sets no ``visibility_timeout`` (kombu/transport/redis.py)."""


def notes(spec: Spec, plans: Mapping[str, ServicePlan]) -> Iterable[Finding]:
    """Workers of a Redis queue that nothing tells their redelivery: louder where tasks may outlive Redis' own."""
    told = {
        value.of for service in spec.services.values() for value in service.env.values() if value.fact == "redelivery"
    }
    for name, plan in plans.items():
        again, service = plan.times.redelivery_s, spec.services[name]
        queues = [of for value in service.env.values() if (of := value.of) and spec.services.get(of)]
        if again is None or name in told or all(spec.services[of].server != "redis" for of in queues):
            continue
        longest = plan.times.hard_s.value if plan.times.hard_s else plan.times.request_s.value
        twice = longest >= REDIS_DEFAULT_S
        default = show_duration(REDIS_DEFAULT_S)
        yield Finding(
            code="redelivery-unset",
            severity="warning" if twice else "note",
            message=f"a task of {name} may run for {show_duration(longest)}, and Redis hands it out a second time "
            f"after {default} unless the app says otherwise"
            if twice
            else f"a task of {name} that is lost with its whole worker waits {default}, Redis' own redelivery, not the "
            f"planned {show_duration(again.value)}, unless the app says otherwise",
            where=f"services.{name}.env",
            hint=f"env: {{REDELIVERY_S: {{from: {name}.redelivery}}}}, and in the app "
            'broker_transport_options = {"visibility_timeout": int(os.environ["REDELIVERY_S"])}',
        )
