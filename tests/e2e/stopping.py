"""Replicas of a rendered gunicorn behind a rendered nginx, one of them stopped again and again while requests come."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from tests.artifacts import texts
from tests.e2e.standins import NAMES, provide
from tests.planner.build import plan as make_plan

from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers.proxy import LOOK_UP_S

APP = """
import asyncio, hashlib, time

REQUEST_S = 0.3  # so that each stop finds requests in progress


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read()
    time.sleep(REQUEST_S)
    answer = hashlib.sha256(body).hexdigest().encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            said = await receive()
            await send({"type": said["type"] + ".complete"})
            if said["type"] == "lifespan.shutdown":
                return
    body, more = b"", True
    while more:
        said = await receive()
        body, more = body + said.get("body", b""), said.get("more_body", False)
    await asyncio.sleep(REQUEST_S)
    answer = hashlib.sha256(body).hexdigest().encode()
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
"""
BODY = b"picture" * 3000
PATIENCE_S = 60.0


def planned(worker: str, concurrency: int = 1) -> Plan:
    """Two replicas of two workers each, behind nginx; ``worker`` is what gunicorn's worker class must be."""
    api: dict[str, Any] = {"server": "gunicorn", "interface": "wsgi", "app": "app:wsgi", "models": [], "port": 8000}
    api |= {"replicas": 2, "workers": 2, "concurrency": concurrency, "max_body_bytes": 1024 * 1024}
    if worker == "asgi":
        api |= {"interface": "asgi", "app": "app:asgi", "endpoint": "async", "concurrency": None}
    plan = make_plan(
        {"api": api, "proxy": {"server": "nginx", "to": "api"}}, {}, build={"requirements": "requirements.txt"}
    )
    assert f'worker_class = "{worker}"' in texts(plan)["api.gunicorn.conf.py"]
    return plan


class Replicas:
    """The containers; ``with`` removes them."""

    def __init__(self, folder: Path, image: str, plan: Plan, change: Callable[[str], str] = str) -> None:
        """``folder``: theirs to read. ``change``: what to try other than the rendered settings."""
        provide("nginx")
        made = texts(plan)
        self.name = f"mlpack-test-stop-{uuid.uuid4().hex[:8]}"
        self.plan, self.folder, self.image = plan, folder, image
        self.replicas = [f"{self.name}-{n}" for n in range(2)]
        self.proxy = f"{self.name}-proxy"
        (folder / "app.py").write_text(APP)
        (folder / "gunicorn.conf.py").write_text(change(made["api.gunicorn.conf.py"]))
        (folder / "nginx.conf").write_text(made["proxy.nginx.conf"])
        self.address = ""

    def __enter__(self) -> Replicas:
        try:
            run(["docker", "network", "create", self.name])
            app = str(self.plan.spec.services["api"].app)
            for replica in self.replicas:
                words = ["docker", "run", "--detach", "--init", "--name", replica, "--network", self.name]
                words += ["--network-alias", "api", "--volume", f"{self.folder}:/srv:ro", "--workdir", "/srv"]
                words += ["--user", "10001", "--read-only", "--cap-drop", "ALL"]
                words += ["--security-opt", "no-new-privileges:true", "--tmpfs", "/tmp:mode=1777"]
                run([*words, self.image, "gunicorn", "--config", "/srv/gunicorn.conf.py", app])
            words = ["docker", "run", "--detach", "--name", self.proxy, "--network", self.name]
            words += ["--tmpfs", "/tmp:mode=1777,size=64m", "--publish", "127.0.0.1::80"]
            run([*words, "--volume", f"{self.folder}/nginx.conf:/etc/nginx/nginx.conf:ro", NAMES["nginx"]])
            self.address = "http://" + run(["docker", "port", self.proxy, "80"]).stdout.split()[0]
            for replica in self.replicas:
                self.ready(replica)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        run(["docker", "rm", "--force", "--volumes", self.proxy, *self.replicas], check=False)
        run(["docker", "network", "rm", self.name], check=False)

    def ready(self, replica: str) -> None:
        """Waits until that replica answers."""
        ask = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/', data=b'x', timeout=2)"
        until = time.monotonic() + PATIENCE_S
        while run(["docker", "exec", replica, "python", "-c", ask], check=False).code != 0:
            assert time.monotonic() < until, run(["docker", "logs", replica]).stderr
            time.sleep(0.1)

    def logs(self) -> str:
        """What proxy and replicas said that is no access log."""
        said = [run(["docker", "logs", name]) for name in (self.proxy, *self.replicas)]
        lines = [line for one in said for line in (one.stdout + one.stderr).splitlines()]
        return "\n".join(line for line in lines if '"POST / HTTP' not in line or "[error]" in line)

    def stopped_in_load(self, rounds: int, clients: int = 8) -> tuple[Counter[str], list[float]]:
        """Answers while one replica after the other is stopped and started, and the seconds that each stop took.

        Half of the clients keep their connection to the proxy, half make a new one for every request.
        """
        found: Counter[str] = Counter()
        stop, guard = threading.Event(), threading.Lock()

        def ask(keeps: bool) -> None:
            client = httpx.Client(timeout=PATIENCE_S)
            while not stop.is_set():
                try:
                    answer = client.post(self.address, content=BODY)
                    came = str(answer.status_code)
                except httpx.HTTPError as error:
                    came = type(error).__name__
                with guard:
                    found[came] += 1
                if not keeps:
                    client.close()
                    client = httpx.Client(timeout=PATIENCE_S)
            client.close()

        threads = [threading.Thread(target=ask, args=(n % 2 == 0,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        took = []
        grace = str(self.plan.services["api"].times.stop_grace_s.value)
        try:
            for number in range(rounds):
                replica = self.replicas[number % 2]
                time.sleep(LOOK_UP_S + 1)  # so that nginx knows the replica that just came
                began = time.monotonic()
                run(["docker", "stop", "--time", grace, replica], timeout_s=120)
                took.append(round(time.monotonic() - began, 1))
                run(["docker", "start", replica])
                self.ready(replica)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        return found, took
