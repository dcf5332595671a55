"""The plan as it reads without containers."""

from __future__ import annotations

from tests.verify import hand

from mlpack.launchers.relocate import local_argv, relocated
from mlpack.servers.wiring import environment
from mlpack.spec import EnvValue, Model, Service


def test_paths_addresses_and_ports_are_this_machines() -> None:
    env = {"MODEL": EnvValue(of="net", fact="path"), "SELF": EnvValue(of="web", fact="url")}
    service = Service(server="gunicorn", app="app:app", interface="wsgi", port=8000, env=env)
    wanted = hand.spec(
        services={"web": service}, models={"net": Model(path="weights/net.onnx", mount="/models/net.onnx")}
    )
    plan = relocated(hand.plan(wanted=wanted), "/home/me/p", {"web": 49152})
    assert environment(plan, "web") == {
        "MODEL": "/home/me/p/weights/net.onnx",
        "SELF": "http://127.0.0.1:49152",
    }
    argv = local_argv(plan, "web")
    assert argv[:3] == ("gunicorn", "--bind", "127.0.0.1:49152")
    assert "/home/me/p/deploy/prod/web.gunicorn.conf.py" in argv


def test_uvicorn_listens_on_loopback_by_its_own_flags() -> None:
    service = Service(server="uvicorn", app="app:app", port=8000)
    plan = hand.plan(hand.service_plan(server="uvicorn"), hand.spec(services={"web": service}))
    argv = local_argv(relocated(plan, "/p", {"web": 50000}), "web")
    assert argv[argv.index("--host") + 1] == "127.0.0.1"
    assert argv[argv.index("--port") + 1] == "50000"
