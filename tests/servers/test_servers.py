"""Every server: facts that hold together, an argv for each, sizes the program really understands."""

from __future__ import annotations

from typing import get_args

import pytest
from tests.plans import plan_of, service_plan, whole

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.spec import MaxInput, Model, ServerName, Service, Settings, Spec


def plan_with(server: ServerName, **service: object) -> Plan:
    """A project of one service."""
    made = Service(server=server, app="pkg.app:app", models=("llm",)).model_copy(update=service)
    models = {"llm": Model(path="models/a b.gguf", max_input=MaxInput(tokens=2048))}
    spec = Spec(name="shop", services={"it": made}, models=models, settings=Settings(log_level="info"))
    planned = service_plan(server=server, port=SERVERS[server].FACTS.port, worker_class=None)
    return plan_of(spec, {"it": planned})


def test_the_list_is_whole_and_keyed_by_name() -> None:
    assert set(SERVERS) == set(get_args(ServerName))
    assert all(server.FACTS.name == name for name, server in SERVERS.items())


@pytest.mark.parametrize("name", get_args(ServerName))
def test_facts_hold_together(name: ServerName) -> None:
    facts = SERVERS[name].FACTS
    assert (facts.url is None) == (facts.port is None)
    assert facts.anonymous_bytes > 0
    assert facts.source
    assert facts.preload_fork_point is None or facts.fork_point != "never"


@pytest.mark.parametrize("name", get_args(ServerName))
def test_argv_is_words(name: ServerName) -> None:
    argv = SERVERS[name].argv(plan_with(name), "it")
    assert argv
    assert all(isinstance(word, str) and word for word in argv)


def test_llama_context_is_shared_by_slots() -> None:
    argv = SERVERS["llama_server"].argv(plan_with("llama_server"), "it")
    assert argv[argv.index("--parallel") + 1] == "3"
    assert argv[argv.index("--ctx-size") + 1] == str(3 * 2048)
    assert argv[argv.index("--model") + 1] == "/opt/shop/models/a b.gguf"


def test_llama_refuses_a_cache_that_it_is_not_started_with() -> None:
    plan = plan_with("llama_server")
    model = plan.spec.models["llm"].model_copy(update={"cache_dtype": "q4_0"})
    spec = plan.spec.model_copy(update={"models": {**plan.spec.models, "llm": model}})
    with pytest.raises(SpecError, match="cache is started in f16 here, not in q4_0"):
        SERVERS["llama_server"].argv(plan.model_copy(update={"spec": spec}), "it")


@pytest.mark.parametrize("models", [(), ("llm", "llm")])
def test_llama_serves_one_model(models: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="one model"):
        SERVERS["llama_server"].argv(plan_with("llama_server", models=models), "it")


def test_redis_sizes_are_mb() -> None:
    argv = SERVERS["redis"].argv(plan_with("redis"), "it")
    assert argv[argv.index("--maxmemory") + 1] == "64mb", "a bare m is 10^6 for Redis"


def test_uvicorn_factory_and_workers() -> None:
    argv = SERVERS["uvicorn"].argv(plan_with("uvicorn", app="pkg:create()"), "it")
    assert argv[:3] == ("uvicorn", "pkg:create", "--factory")
    assert argv[argv.index("--workers") + 1] == "2"
    assert argv[argv.index("--timeout-worker-healthcheck") + 1] == "61", "5 s would kill workers that load"


@pytest.mark.parametrize("workers", [1, 2])
def test_uvicorn_reload_excludes_workers(workers: int) -> None:
    plan = plan_with("uvicorn")
    one = plan.services["it"].workers.model_copy(update={"value": workers})
    services = {"it": plan.services["it"].model_copy(update={"workers": one})}
    reload = plan.spec.model_copy(update={"settings": Settings(reload=True)})
    argv = SERVERS["uvicorn"].argv(plan.model_copy(update={"spec": reload, "services": services}), "it")
    assert ("--reload" in argv) == (workers == 1), "what is planned runs; it watches files where one worker is planned"
    assert ("--workers" in argv) == (workers > 1)


def test_uvicorn_refuses_a_call_with_arguments() -> None:
    with pytest.raises(SpecError, match="factory"):
        SERVERS["uvicorn"].argv(plan_with("uvicorn", app="pkg:create('x')"), "it")


def test_celery_settings_come_after_the_double_dash() -> None:
    plan = plan_with("celery")
    times = plan.services["it"].times.model_copy(
        update={"soft_s": whole(570), "hard_s": whole(600), "child_start_s": whole(90)}
    )
    plan = plan.model_copy(update={"services": {"it": plan.services["it"].model_copy(update={"times": times})}})
    argv = SERVERS["celery"].argv(plan, "it")
    options, settings = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    assert options[options.index("--concurrency") + 1] == "2"
    assert options[options.index("--time-limit") + 1] == "600"
    assert set(settings) == {
        "task.acks_late=true",
        "task.reject_on_worker_lost=true",
        "worker.proc_alive_timeout=90",
    }
