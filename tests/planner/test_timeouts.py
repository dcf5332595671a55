"""Time limits nest from the inside out, and a load never runs into one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.planner.build import CELERY, GUNICORN, footprint, plan, subject

from mlpack.errors import SpecError
from mlpack.plan import Decided
from mlpack.planner.health import health_plan
from mlpack.planner.subject import Choice
from mlpack.planner.timeouts import load_bound_s, queue_times, soft_hard, web_times

QUEUE: dict[str, Any] = {"server": "redis"}
BROKER_ENV = {"CELERY_BROKER_URL": {"of": "queue", "fact": "url"}}


def asked(seconds: float) -> Decided[float]:
    """A request's bound."""
    return Decided[float](value=seconds, source="user", because="set")


def test_a_worker_may_load_and_answer_within_its_timeout() -> None:
    slow = subject(GUNICORN, footprint(load_s=100.0), cores=2)
    choice = Choice(4, 1, 1)
    assert load_bound_s(slow, choice) == (100 * 2 + 1) * 3  # four load on two cores; gunicorn itself starts in 1 s
    times = web_times(slow, choice, asked(20))
    assert times.worker_s is not None
    assert times.worker_s.value == 603
    quick = web_times(subject(GUNICORN, footprint(load_s=1.0)), choice, asked(100))
    assert quick.worker_s is not None
    assert quick.worker_s.value == 121


@pytest.mark.parametrize(("request_s", "graceful", "grace"), [(1, 10, 20), (30, 30, 40), (600, 50, 60)])
def test_stop_grace_is_capped(request_s: float, graceful: int, grace: int) -> None:
    times = web_times(subject(GUNICORN), Choice(1, 1, 1), asked(request_s))
    assert (times.graceful_s.value, times.stop_grace_s.value) == (graceful, grace)


def test_queue_chain_of_a_ten_minute_task() -> None:
    assert soft_hard(600) == (630, 660)
    times = queue_times(subject(CELERY), Choice(1, 1, 1), asked(600), 1320)
    assert times.child_start_s is not None
    assert times.child_start_s.value == 60  # (4 s load + 3 s Celery) x 3 is less; Celery's 4 s would kill the child


def test_redelivery_is_the_brokers_not_the_workers() -> None:
    short, long = ({**CELERY, "env": BROKER_ENV, "timeout_s": seconds} for seconds in (60, 600))
    made = plan({"short": short, "long": long, "queue": QUEUE, "other": {**CELERY, "timeout_s": 60}})
    redelivery = {name: made.services[name].times.redelivery_s for name in ("short", "long", "other")}
    values = {name: decided.value for name, decided in redelivery.items() if decided}
    assert values == {"short": 1320, "long": 1320, "other": 2 * soft_hard(60)[1]}


@pytest.mark.parametrize(
    ("timeout_s", "told", "severity"), [(600, False, "note"), (4000, False, "warning"), (4000, True, None)]
)
def test_a_redelivery_that_nobody_tells_the_app_is_named(timeout_s: float, told: bool, severity: str | None) -> None:
    """Redis' own is an hour: above it a running task is handed out twice."""
    env = {**BROKER_ENV, **({"AGAIN_S": {"of": "worker", "fact": "redelivery"}} if told else {})}
    made = plan({"worker": {**CELERY, "env": env, "timeout_s": timeout_s}, "queue": QUEUE})
    found = [finding.severity for finding in made.findings if finding.code == "redelivery-unset"]
    assert found == ([severity] if severity else [])


def test_whoever_waits_is_allowed_longer() -> None:
    made = plan(
        {
            "proxy": {"server": "caddy", "to": "web"},
            "web": {"server": "uvicorn", "app": "a:b", "health": "/", "env": {"LLM": {"of": "llm", "fact": "url"}}},
            "llm": {"server": "llama_server", "models": ["m"], "timeout_s": 120, "concurrency": 1},
        },
        runtimes=("llama_cpp",),
    )
    llm, web, proxy = (made.services[name].times for name in ("llm", "web", "proxy"))
    assert web.worker_s is not None
    assert proxy.proxy_read_s is not None
    assert llm.request_s.value == 120 < web.request_s.value < web.worker_s.value < proxy.proxy_read_s.value
    assert web.request_s.because == "waits for llm, which may take 2 min"


def test_a_caller_that_gives_up_first_is_refused() -> None:
    with pytest.raises(
        SpecError, match=r"worker gives up after 60 s, but waits for llm, which may take 2 min"
    ) as caught:
        plan(
            {
                "worker": {**CELERY, "models": [], "timeout_s": 60, "env": {"LLM": {"of": "llm", "fact": "url"}}},
                "llm": {"server": "llama_server", "models": ["m"], "timeout_s": 120, "concurrency": 1},
            }
        )
    assert caught.value.where == "services.worker.timeout"


@pytest.mark.parametrize(("fact", "codes"), [("url", {"llm-callers-unbounded"}), ("concurrency", set())])
def test_callers_of_an_llm_are_bounded_or_named(fact: str, codes: set[str]) -> None:
    env = {"LLM": {"of": "llm", "fact": "url"}, "SLOTS": {"of": "llm", "fact": fact}}
    made = plan(
        {
            "worker": {**CELERY, "models": [], "workers": 3, "env": env},
            "llm": {"server": "llama_server", "models": ["m"], "timeout_s": 120, "concurrency": 1},
        },
        runtimes=("llama_cpp",),
    )
    assert {finding.code for finding in made.findings if finding.code.startswith("llm")} == codes


def test_services_that_call_each_other_do_not_hang_the_planner() -> None:
    one, two = ({**GUNICORN, "env": {"PEER": {"of": peer, "fact": "url"}}} for peer in ("b", "a"))
    made = plan({"a": {**one, "publish": 1}, "b": {**two, "publish": 2}})
    assert made.services["a"].times.request_s.value > 0


def test_requests_that_share_cores_take_longer() -> None:
    crowded = plan({"web": {**GUNICORN, "workers": 1, "concurrency": 8}})
    alone = plan({"web": {**GUNICORN, "workers": 1, "concurrency": 1, "threads": 1}})
    # 0.5 s x 5 = 2.5 s alone: the least bound; 8 requests on 4 cores: twice as long
    assert alone.services["web"].times.request_s.value == 10
    slow = footprint(request_s=10.0)
    spread = plan({"web": {**GUNICORN, "workers": 1, "concurrency": 8}}, {"web": slow})
    assert crowded.services["web"].times.request_s.value == 10
    assert spread.services["web"].times.request_s.value == 10 * 2 * 5


def test_start_period_covers_the_load_and_a_busy_service_is_not_dead() -> None:
    health = health_plan(subject(GUNICORN, footprint(load_s=41.0), cores=1), Choice(2, 1, 1), 30)
    assert health is not None
    assert health.start_period_s.value == 250  # (41 x 2 + 1) x 3 = 249, in steps of 5
    assert health.timeout_s.value == 20
    assert health.path == "/health"


def test_replicas_load_at_the_same_time() -> None:
    """An engine starts them all at once: on the same cores where they run no models, else on a share of their own."""
    models = replace(subject(GUNICORN, footprint(load_s=10.0), cores=1), all_cores=4.0)
    plain = replace(subject({**GUNICORN, "models": []}, footprint(load_s=10.0), cores=4), all_cores=4.0)
    assert load_bound_s(models, Choice(2, 1, 1, replicas=4)) == (10 * 2 + 1) * 3
    assert load_bound_s(models, Choice(2, 1, 1, replicas=8)) == (10 * 4 + 1) * 3, "more replicas than cores"
    assert load_bound_s(models, Choice(2, 1, 1, replicas=8, in_turn=True)) == (10 * 2 * 2 + 1) * 3
    assert load_bound_s(plain, Choice(2, 1, 1)) == (10 + 1) * 3
    assert load_bound_s(plain, Choice(2, 1, 1, replicas=4)) == (10 * 2 + 1) * 3
    health = health_plan(plain, Choice(2, 1, 1, replicas=4), 30)
    assert health is not None
    assert health.start_period_s.because.startswith("8 loading at once on 4 cores take at most")


def test_no_health_path_is_said() -> None:
    made = plan({"web": {**GUNICORN, "health": None}})
    assert made.services["web"].health is None
    assert "no-health-path" in {finding.code for finding in made.findings}
