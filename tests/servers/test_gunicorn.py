"""gunicorn: the right worker class, and a settings file that gunicorn itself accepts."""

from __future__ import annotations

import ast

import pytest
from gunicorn.config import Config
from tests.plans import embedding_plan, embedding_spec, plan_of, service_plan, whole

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.render import render
from mlpack.servers import gunicorn
from mlpack.spec import EnvValue, Service, Spec


def wsgi_plan(concurrency: int) -> Plan:
    spec = embedding_spec()
    web = spec.services["web"].model_copy(update={"interface": "wsgi"})
    spec = spec.model_copy(update={"services": {"web": web}})
    return plan_of(spec, {"web": service_plan(worker_class=None, concurrency=whole(concurrency))})


@pytest.mark.parametrize(("concurrency", "chosen"), [(1, "sync"), (2, "gthread")])
def test_wsgi_worker_follows_from_concurrency(concurrency: int, chosen: str) -> None:
    values = gunicorn.config(wsgi_plan(concurrency), "web")
    assert values["worker_class"] == chosen
    assert values.get("threads") == (concurrency if chosen == "gthread" else None)


def test_asgi_has_no_threads_setting() -> None:
    """gunicorn warns about `threads` above 1 under its ASGI worker, which ignores it."""
    assert "threads" not in gunicorn.config(embedding_plan(), "web")


@pytest.mark.parametrize(
    ("endpoint", "env", "natural", "adjustable"),
    [
        ("def", {}, 40, False),
        ("async", {}, 1, False),
        ("def", {"N": EnvValue(of="web", fact="concurrency")}, 40, True),
        ("def", {"N": EnvValue(of="other", fact="concurrency")}, 40, False),
        ("def", {"N": EnvValue(of="web", fact="workers")}, 40, False),
    ],
)
def test_asgi_concurrency_is_what_the_app_does(
    endpoint: str, env: dict[str, EnvValue], natural: int, adjustable: bool
) -> None:
    web = Service(server="gunicorn", app="a:b", interface="asgi", env=env).model_copy(update={"endpoint": endpoint})
    admission = gunicorn.admission(Spec(name="x", services={"web": web}), "web")
    assert (admission.natural, admission.adjustable, admission.worker_class) == (natural, adjustable, "asgi")


def test_argv_names_the_rendered_file_below_the_root() -> None:
    plan = embedding_plan()
    config = "/opt/embedding/deploy/prod/web.gunicorn.conf.py"
    assert gunicorn.argv(plan, "web") == ("gunicorn", "--config", config, "app:app")
    assert "deploy/prod/web.gunicorn.conf.py" in {artifact.path for artifact in render(plan)}


def test_no_app_is_an_error() -> None:
    spec = Spec(name="x", services={"web": Service(server="gunicorn")})
    with pytest.raises(SpecError, match="app"):
        gunicorn.argv(plan_of(spec, {"web": service_plan()}), "web")


def rendered_settings(plan: Plan) -> dict[str, object]:
    """The settings file, read as Python reads it."""
    text = next(a.text for a in render(plan) if a.path.endswith("web.gunicorn.conf.py"))
    found: dict[str, object] = {}
    for statement in ast.parse(text).body:
        assert isinstance(statement, ast.Assign)
        assert isinstance(statement.targets[0], ast.Name)
        found[statement.targets[0].id] = ast.literal_eval(statement.value)
    return found


@pytest.mark.parametrize("plan", [embedding_plan(), wsgi_plan(1), wsgi_plan(7)], ids=["asgi", "sync", "gthread"])
def test_gunicorn_takes_every_line_of_its_file(plan: Plan) -> None:
    """Each line is a setting of gunicorn's own Config, and reads back as what was planned."""
    config = Config()
    values = rendered_settings(plan)
    assert values == dict(gunicorn.config(plan, "web"))
    for name, value in values.items():
        config.set(name, value)  # raises for a name or value that gunicorn does not know
        assert getattr(config, name) == value or name in ("bind", "worker_class")
    assert config.worker_class.__module__.startswith("gunicorn.workers.")
