"""Wiring: facts of services and models as text, across targets, and who needs whom."""

from __future__ import annotations

from typing import Literal

import pytest
from tests.plans import embedding_plan, plan_of, service_plan

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.wiring import environment, fact, secrets, upstreams
from mlpack.spec import EnvValue, FactName, Model, Service, Spec


def pair(web_target: Literal["compose", "systemd"], queue_target: Literal["compose", "systemd"]) -> Plan:
    """A web service that reads its queue's address and one secret."""
    env = {
        "BROKER": EnvValue(of="queue", fact="url"),
        "KEY": EnvValue(secret="api"),
        "OMP_NUM_THREADS": EnvValue(text="9"),
    }
    spec = Spec(
        name="shop",
        services={"web": Service(server="gunicorn", app="a:b", env=env), "queue": Service(server="redis")},
        models={
            "m": Model(path="weights/../weights/m.bin"),
            "h": Model(hub="org/name"),
            "x": Model(path="x", mount="/x"),
        },
        secrets=("api",),
    )
    web = service_plan(target=web_target)
    queue = service_plan(server="redis", target=queue_target, port=6379, publish=16379)
    return plan_of(spec, {"web": web, "queue": queue})


@pytest.mark.parametrize(
    ("web", "queue", "url"),
    [
        ("compose", "compose", "redis://queue:6379/0"),
        ("systemd", "systemd", "redis://127.0.0.1:6379/0"),
        ("systemd", "compose", "redis://127.0.0.1:16379/0"),
        ("compose", "systemd", "redis://host.docker.internal:6379/0"),
    ],
)
def test_addresses_across_targets(
    web: Literal["compose", "systemd"], queue: Literal["compose", "systemd"], url: str
) -> None:
    assert environment(pair(web, queue), "web")["BROKER"] == url


def test_the_users_value_wins_and_secrets_stay_out() -> None:
    plan = pair("compose", "compose")
    variables = environment(plan, "web")
    assert variables["OMP_NUM_THREADS"] == "9"
    assert variables["TOKENIZERS_PARALLELISM"] == "false"
    assert "KEY" not in variables
    assert secrets(plan, "web") == {"KEY": "api"}


def test_edges() -> None:
    plan = pair("compose", "compose")
    assert upstreams(plan, "web") == ("queue",)
    assert upstreams(plan, "queue") == ()
    assert upstreams(embedding_plan(), "web") == (), "a fact of its own is no edge"


@pytest.mark.parametrize(
    ("of", "asked", "answer"),
    [
        ("web", "workers", "2"),
        ("web", "threads", "1"),
        ("web", "concurrency", "3"),
        ("web", "timeout", "30"),
        ("web", "port", "8000"),
        ("web", "host", "web"),
        ("web", "url", "http://web:8000"),
        ("m", "path", "/opt/shop/weights/m.bin"),
        ("h", "path", "org/name"),
        ("x", "path", "/x"),
    ],
)
def test_facts(of: str, asked: FactName, answer: str) -> None:
    assert fact(pair("compose", "compose"), of, asked) == answer


@pytest.mark.parametrize(("of", "asked"), [("web", "max_body"), ("web", "path"), ("m", "url"), ("nobody", "url")])
def test_facts_that_are_none(of: str, asked: FactName) -> None:
    with pytest.raises(SpecError) as caught:
        fact(pair("compose", "compose"), of, asked, viewer="queue")
    assert of in str(caught.value)
