"""Workers, threads, concurrency and preload: the measured grid's best point, and the user's word."""

from __future__ import annotations

import pytest
from tests.planner.build import CELERY, GUNICORN, UVICORN, footprint, plan, subject

from mlpack.errors import DoesNotFit, SpecError
from mlpack.planner.capacity import candidates, pick
from mlpack.planner.memory import need
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.throughput import rate, speed, unmet
from mlpack.spec import Load


def chosen(of: Subject, objective: str = "throughput", load: Load | None = None) -> tuple[int, int, int]:
    """Workers, threads and concurrency with memory without end."""
    choice = pick(of, candidates(of), lambda c: need(of, c).limit, objective, load or Load())
    return choice.workers, choice.threads, choice.concurrency


def test_model_of_the_measured_grid() -> None:
    web = subject(GUNICORN, cores=2)
    assert speed(2) == pytest.approx(12.3 / 6.7, rel=0.01)
    assert rate(web, Choice(2, 1, 1)) == pytest.approx(13.2 / 6.7, rel=0.01)


@pytest.mark.parametrize(
    ("cores", "objective", "expected"),
    [
        (2, "throughput", (2, 1, 1)),  # the best point that was measured
        (2, "latency", (1, 2, 1)),
        (2, "memory", (1, 2, 1)),
        (1, "throughput", (1, 1, 1)),
        (0.5, "throughput", (1, 1, 1)),
        (1.5, "throughput", (1, 1, 1)),
        (8, "throughput", (8, 1, 1)),
        (8, "latency", (1, 8, 1)),
    ],
)
def test_choice_by_objective(cores: float, objective: str, expected: tuple[int, int, int]) -> None:
    assert chosen(subject(GUNICORN, cores=cores), objective) == expected


def test_a_def_endpoint_lets_in_forty_where_nothing_bounds_it() -> None:
    web = subject({**UVICORN, "endpoint": "def"})
    assert chosen(web) == (1, 1, 40)


def test_an_app_that_reads_its_bound_gets_one() -> None:
    env = {"MAX": {"of": "web", "fact": "concurrency"}}
    assert chosen(subject({**UVICORN, "endpoint": "def", "env": env})) == (4, 1, 1)


def test_pool_runtimes_have_one_pool_per_process() -> None:
    web = subject({**GUNICORN, "concurrency": 3}, runtimes=("tensorflow",), cores=4)
    assert (1, 4, 3) in {(c.workers, c.threads, c.concurrency) for c in candidates(web)}
    torch = subject({**GUNICORN, "concurrency": 3}, cores=4)
    assert {(c.workers, c.threads) for c in candidates(torch)} == {(1, 1)}


def test_actors_share_the_cores_among_models() -> None:
    ray = subject({"server": "ray", "app": "a:b", "models": ["m", "m"]}, cores=4)
    assert chosen(ray) == (1, 2, 1)


def test_user_numbers_stay() -> None:
    web = subject({**GUNICORN, "workers": 2, "threads": 1, "concurrency": 2})
    assert chosen(web) == (2, 1, 2)


def test_more_workers_than_cores_are_kept_and_said() -> None:
    made = plan({"web": {**GUNICORN, "workers": 8}})
    assert made.services["web"].workers.value == 8
    assert made.services["web"].workers.source == "user"
    assert "workers-exceed-cores" in {finding.code for finding in made.findings}


def test_threads_beyond_cores_are_refused_with_the_number_that_works() -> None:
    with pytest.raises(DoesNotFit, match="2 workers x 1 at once x 3 threads want 6 threads on 4 cores") as caught:
        candidates(subject({**GUNICORN, "workers": 2, "threads": 3}))
    assert caught.value.hint == "set threads: 2, or leave it out"


def test_concurrency_that_nothing_holds_is_refused() -> None:
    with pytest.raises(SpecError, match="nothing can hold web to 3"):
        candidates(subject({**CELERY, "concurrency": 3}))


def test_preload_is_off_until_proven_and_on_after() -> None:
    assert not any(choice.preload for choice in candidates(subject(GUNICORN)))
    proven = candidates(subject(GUNICORN, footprint(fork_proven=True, threads=4)))
    assert {(choice.workers, choice.preload) for choice in proven} == {(1, False), (2, True), (3, True), (4, True)}


def test_a_proof_with_one_thread_proves_nothing_for_a_team() -> None:
    """LightGBM and torch, loaded with two threads, hung after the fork and answered with one (bench/throughput)."""
    alone = footprint(fork_proven=True, threads=1)
    ways = {(choice.workers, choice.threads): choice.preload for choice in candidates(subject(GUNICORN, alone))}
    assert ways == {(1, 4): False, (2, 2): False, (3, 1): True, (4, 1): True}
    wanted = candidates(subject({**GUNICORN, "preload": True}, alone))
    assert {(choice.workers, choice.threads) for choice in wanted} == {(1, 1), (2, 1), (3, 1), (4, 1)}
    with pytest.raises(SpecError, match="answered with 1 thread each, which proves nothing for 2"):
        candidates(subject({**GUNICORN, "preload": True, "workers": 2, "threads": 2}, alone))


@pytest.mark.parametrize(
    ("service", "proven", "why"),
    [
        (GUNICORN, False, "no inference after a fork"),
        (UVICORN, True, "uvicorn cannot"),
        (CELERY, True, "celery cannot"),
    ],
)
def test_preload_that_is_not_safe_is_refused(service: dict[str, object], proven: bool, why: str) -> None:
    with pytest.raises(SpecError, match=why):
        candidates(subject({**service, "preload": True}, footprint(fork_proven=proven)))


def test_preload_is_refused_for_tensorflow_even_if_it_looked_fine_once() -> None:
    with pytest.raises(SpecError, match="tensorflow hung"):
        candidates(subject({**GUNICORN, "preload": True}, footprint(fork_proven=True), runtimes=("tensorflow",)))


def test_reloading_source_files_excludes_preload_and_uvicorns_workers() -> None:
    settings = {"reload": True}
    proven = {"web": footprint(fork_proven=True)}
    gunicorn = plan({"web": GUNICORN}, proven, settings=settings).services["web"]
    assert (gunicorn.workers.value, gunicorn.preload.value) == (4, False)
    assert plan({"web": UVICORN}, settings=settings).services["web"].workers.value == 1
    asked = plan({"web": {**UVICORN, "workers": 2}}, settings=settings)
    assert asked.services["web"].workers.value == 2
    assert "reload-off" in {finding.code for finding in asked.findings}


def test_the_smallest_choice_that_bears_the_load() -> None:
    web = subject(GUNICORN, footprint(request_s=0.5))  # 2 requests/s per worker with one thread
    assert chosen(web, load=Load(rps=3.5)) == (1, 4, 1)  # 6.3/s: more threads cost no memory
    assert chosen(web, load=Load(rps=7.5)) == (4, 1, 1)
    assert unmet(web, Choice(4, 1, 1), Load(rps=100)) == "about 7.88 of 100 requests/s"
    assert unmet(web, Choice(4, 1, 1), Load(p95_s=0.4)) is not None
    assert chosen(web, load=Load(p95_s=0.4)) == (1, 4, 1)
