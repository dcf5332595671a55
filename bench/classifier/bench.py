"""Requests/s and p95 of the classifier with 50 clients: the rendered system against the same app as one process.

    .venv/bin/python bench/classifier/bench.py [--seconds 30] [--rounds 3]

Both run in containers of the same image with the same two cores, in turn, in one session; the client is a process of
this machine and takes its share of the cores, the same for both. nginx's rate limit is raised for the bench (one client
address stands for all): everything else is as rendered. Processor time is read from the containers' cgroups, and the
client's own from getrusage: cores over the time of one request is what this machine could serve at most. Needs an
engine, examples/classifier/weights, the rendered deploy/prod and its image. Writes result.json beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples" / "classifier"
FOLDER = EXAMPLE / "deploy" / "prod"
DOMAIN, PROJECT, IMAGE = "eyes.example.org", "mlpack-bench-classifier", "classifier:prod"
CLIENTS = 50
SAMPLE = "left.jpg"
KEPT = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
"""A pool that closes none: httpx closed one in use now and then (EBADF in 2 of 14,000), its own threads racing."""
KEYS = ("requests_per_s", "p50_s", "p95_s", "at_most_per_s")
CGROUPS = Path("/sys/fs/cgroup")
Started = tuple[httpx.Client, dict[str, str], dict[str, list[str]]]
"""Who asks, with which headers, and which containers answer."""


def quietly(*argv: str) -> str:
    """What a program said. Raises CalledProcessError."""
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=1200).stdout


def processor_s(containers: dict[str, list[str]]) -> dict[str, float]:
    """Processor seconds used so far, by service and by this process."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    found = {"client": own.ru_utime + own.ru_stime}
    for service, identities in containers.items():
        found[service] = sum(map(_used_s, identities))
    return found


def _used_s(container: str) -> float:
    """Of one container: cgroup v1 tells nanoseconds, v2 microseconds. Raises FileNotFoundError."""
    first = CGROUPS / "cpuacct" / "docker" / container / "cpuacct.usage"
    if first.exists():
        return int(first.read_text()) / 1e9
    for folder in (CGROUPS / "docker" / container, CGROUPS / "system.slice" / f"docker-{container}.scope"):
        if (folder / "cpu.stat").exists():
            return int((folder / "cpu.stat").read_text().split()[1]) / 1e6
    raise FileNotFoundError(f"the cgroup of {container}")


def load(
    client: httpx.Client, headers: dict[str, str], seconds: float, containers: dict[str, list[str]]
) -> dict[str, Any]:
    """A closed loop of CLIENTS requests at once for ``seconds``."""
    data = (EXAMPLE / "samples" / SAMPLE).read_bytes()
    times: list[float] = []
    statuses: Counter[str] = Counter()
    end, guard = time.monotonic() + seconds, threading.Lock()

    def ask() -> None:
        while time.monotonic() < end:
            start = time.monotonic()
            try:
                answer = client.post(
                    "/classify",
                    files={"image": (SAMPLE, data)},
                    headers=headers,
                    extensions={"sni_hostname": DOMAIN},
                )
                kind = "right" if answer.status_code == 200 and answer.json()["label"] == "left" else "wrong"
            except httpx.HTTPError as error:
                kind = type(error).__name__
            with guard:
                times.append(time.monotonic() - start)
                statuses[kind] += 1

    before, began = processor_s(containers), time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, after = time.monotonic() - began, processor_s(containers)
    times.sort()
    each = {name: round(1000 * (after[name] - before[name]) / max(1, len(times)), 1) for name in after}
    return {
        "requests_per_s": round(statuses["right"] / took, 1),
        "processor_ms_per_request": each,
        "at_most_per_s": round(1000 * len(os.sched_getaffinity(0)) / sum(each.values()), 1),
        "p50_s": round(statistics.median(times), 3),
        "p95_s": round(times[int(0.95 * (len(times) - 1))], 3),
        "answers": dict(statuses),
    }


def wait(client: httpx.Client) -> None:
    """Until /health says 200. Raises TimeoutError."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            if client.get("/health", extensions={"sni_hostname": DOMAIN}).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise TimeoutError("it never became healthy")


@contextmanager
def one_process() -> Iterator[Started]:
    """The app in one uvicorn process with the system's two cores."""
    root = "/opt/classifier"
    words = ["docker", "run", "--detach", "--rm", "--cpus", "2", "--publish", "127.0.0.1:0:8000", "--workdir", "/bench"]
    words += ["--env", f"CLASSIFIER={root}", "--env", f"PYTHONPATH={root}", "--env", "OMP_NUM_THREADS=1"]
    words += ["--volume", f"{HERE}:/bench:ro", "--volume", f"{EXAMPLE / 'weights'}:{root}/weights:ro", IMAGE]
    container = quietly(*words, "uvicorn", "one_process:app", "--host", "0.0.0.0", "--log-level", "warning").strip()
    try:
        port = quietly("docker", "port", container, "8000").strip().rpartition(":")[2]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False, limits=KEPT) as client:
            wait(client)
            yield client, {}, {"api": [quietly("docker", "inspect", "--format", "{{.Id}}", container).strip()]}
    finally:
        quietly("docker", "rm", "--force", container)


@contextmanager
def system() -> Iterator[Started]:
    """The rendered deployment, its own rate limit raised."""
    quietly("sh", str(FOLDER / "deploy.sh"), "secrets")
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "nginx.conf"
        settings.write_text((FOLDER / "proxy.nginx.conf").read_text().replace("rate=100r/s", "rate=100000r/s"))
        settings.chmod(0o644)
        override = Path(scratch) / "bench.json"
        mount = {"type": "bind", "source": str(settings), "target": "/etc/nginx/nginx.conf", "read_only": True}
        override.write_text(json.dumps({"services": {"proxy": {"volumes": [mount]}}}))
        ports = Path(scratch) / "ports.yaml"
        ports.write_text('services: {proxy: {ports: !override ["127.0.0.1:0:443"]}}\n')
        files = [word for file in (FOLDER / "compose.yaml", override, ports) for word in ("--file", str(file))]
        compose = ("docker", "compose", "--project-name", PROJECT, *files)
        try:
            quietly(*compose, "up", "--detach", "--no-build", "--wait", "--wait-timeout", "300")
            port = quietly(*compose, "port", "proxy", "443").strip().rpartition(":")[2]
            context = ssl.create_default_context(cafile=str(FOLDER / "secrets" / "proxy.crt"))
            key = {"X-API-Key": (FOLDER / "secrets" / "api_key").read_text()}
            with httpx.Client(
                base_url=f"https://127.0.0.1:{port}",
                headers={"Host": DOMAIN},
                verify=context,
                timeout=60,
                trust_env=False,
                limits=KEPT,
            ) as client:
                wait(client)
                ids = {name: quietly(*compose, "ps", "--quiet", name).split() for name in ("api", "ray", "proxy")}
                yield client, key, ids
        finally:
            quietly(*compose, "down", "--volumes", "--timeout", "5")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {"one process": [], "system": []}
    for _ in range(asked.rounds):
        for name, start in (("one process", one_process), ("system", system)):
            with start() as (client, headers, containers):
                load(client, headers, 3.0, containers)  # warm
                found[name].append(load(client, headers, asked.seconds, containers))
                print(name, found[name][-1], flush=True)
    medians = {name: {key: statistics.median(run[key] for run in runs) for key in KEYS} for name, runs in found.items()}
    ratio = medians["system"]["requests_per_s"] / medians["one process"]["requests_per_s"]
    result = {
        "clients": CLIENTS,
        "seconds": asked.seconds,
        "runs": found,
        "medians": medians,
        "system over one process": round(ratio, 2),
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "image": quietly("docker", "image", "inspect", "--format", "{{.Id}}", IMAGE).strip(),
        "requirements": (EXAMPLE / "requirements.txt").read_text().splitlines(),
    }
    (HERE / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(medians, indent=2), f"system over one process: {ratio:.2f}", sep="\n")


if __name__ == "__main__":
    main()
