"""A stated load: the smallest plan that bears it, replicas behind a proxy included, or the machine that would."""

from __future__ import annotations

from typing import Any

import pytest
from tests.planner.build import GUNICORN, footprint, host, plan

from mlpack.plan import Plan
from mlpack.planner.machines import machine
from mlpack.planner.throughput import WORKER_SCALING, speed
from mlpack.report import Finding
from mlpack.units import GIB

LLM: dict[str, Any] = {"server": "llama_server", "models": ["m"], "concurrency": 1}
PROXY: dict[str, Any] = {"server": "caddy", "to": "llm"}
HALF_SECOND = footprint("llm", request_s=0.5, threads=1)
"""Two requests a second with one thread."""


def llm(load: dict[str, Any], cores: int = 8, service: dict[str, Any] = LLM, **more: Any) -> Plan:
    """An LLM, which is one program however many cores there are, behind a proxy."""
    services = {"llm": service, "proxy": PROXY} | more
    return plan(services, {"llm": HALF_SECOND}, on=host(64 * GIB, cores), runtimes=("llama_cpp",), load=load)


def unmet(made: Plan) -> list[Finding]:
    """What is said about a load that is not borne."""
    return [finding for finding in made.findings if finding.code == "load-not-met"]


@pytest.mark.parametrize(
    ("rps", "replicas", "threads"),
    [
        (1.9, 1, 8),  # one program with all threads: 2 x 4.9
        (9.0, 1, 8),
        (11.0, 2, 4),  # 2 x 2 x 0.985 x 3.15 = 12.4
        (15.0, 8, 1),  # 8 x 2 = 16; four with two threads each are 14.3
    ],
)
def test_replicas_for_a_program_that_has_no_workers(rps: float, replicas: int, threads: int) -> None:
    made = llm({"rps": rps})
    service = made.services["llm"]
    assert (service.replicas.value, service.threads.value) == (replicas, threads)
    assert service.cpus.value == 8 / replicas
    assert not unmet(made)
    assert service.replicas.source == ("calculated" if replicas > 1 else "default")
    (row,) = [row for row in made.budget.rows if row.service == "llm"]
    assert row.limit_bytes == replicas * service.memory.limit_bytes.value


def test_it_is_the_smallest_that_bears_it() -> None:
    """Every smaller number of replicas would not, by the same numbers."""
    for rps in (11.0, 14.0, 15.0):
        replicas = llm({"rps": rps}).services["llm"].replicas.value
        fewer = [2 * (n * WORKER_SCALING if n > 1 else 1) * speed(8 // n) for n in range(1, replicas)]
        assert all(rate < rps for rate in fewer), rps


def test_requests_at_once_within_their_time() -> None:
    assert llm({"p95_s": 0.5, "concurrency": 4}).services["llm"].replicas.value == 1  # four rounds of 0.1 s
    assert llm({"p95_s": 0.35, "concurrency": 4}).services["llm"].replicas.value == 2  # two rounds of 0.16 s


def test_workers_before_replicas() -> None:
    """Replicas share nothing, workers share files and a master: for the same load they are smaller."""
    web = {**GUNICORN, "concurrency": 1}
    services = {"web": web, "proxy": {"server": "nginx", "to": "web"}}
    made = plan(services, {"web": footprint()}, load={"rps": 7.5})
    assert (made.services["web"].replicas.value, made.services["web"].workers.value) == (1, 4)


def test_no_replicas_where_nothing_shares_requests_out() -> None:
    alone = plan(
        {"llm": {**LLM, "port": 9000}},
        {"llm": HALF_SECOND},
        on=host(64 * GIB, 8),
        runtimes=("llama_cpp",),
        load={"rps": 15},
    )
    assert alone.services["llm"].replicas.value == 1
    assert unmet(alone)
    published = llm({"rps": 15}, service={**LLM, "publish": 9000})
    assert published.services["llm"].replicas.value == 1


def test_what_the_user_set_stays() -> None:
    assert llm({"rps": 15}, service={**LLM, "replicas": 2}).services["llm"].replicas.value == 2


def test_without_a_load_there_is_one() -> None:
    assert llm({}).services["llm"].replicas.value == 1


def test_the_machine_that_is_named_bears_it() -> None:
    made = plan({"web": GUNICORN}, load={"rps": 60})
    (finding,) = unmet(made)
    assert finding.message.endswith("about 7.88 of 60 requests/s")
    assert finding.hint == "a machine with 31 cores and 9 GiB of memory as it is sold would do"
    assert not unmet(plan({"web": GUNICORN}, load={"rps": 60}, on=machine(9 * GIB, 31)))
    assert unmet(plan({"web": GUNICORN}, load={"rps": 60}, on=machine(9 * GIB, 30)))


def test_a_machine_of_the_catalogue_is_named_where_one_would_do() -> None:
    (finding,) = unmet(plan({"web": GUNICORN}, load={"rps": 14}))
    assert finding.hint is not None
    assert "8 cores" in finding.hint
    assert "like " in finding.hint


@pytest.mark.parametrize("load", [{"p95_s": 0.01}, {"rps": 1e6}])
def test_a_load_beyond_any_machine(load: dict[str, Any]) -> None:
    (finding,) = unmet(plan({"web": GUNICORN}, load=load))
    assert finding.hint is not None
    assert finding.hint.startswith("no machine with more cores would do")
