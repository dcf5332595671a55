"""The classifier example as its users run it: deploy.sh, faults while requests come, and verify."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.e2e import doctors, standins

from mlpack.flow import gather, output_folder, produce
from mlpack.launchers import engine
from mlpack.launchers.this_machine import host_network
from mlpack.lock import Lock
from mlpack.plan import Plan
from mlpack.probe import probe
from mlpack.process import run
from mlpack.verify import verify
from mlpack.write import world_for_render, write

pytestmark = pytest.mark.engine
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "classifier"
DOMAIN = "eyes.example.org"
IMAGE = "classifier:prod"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Lock]:
    """A copy of the example, its weights made in its own image, rendered for this machine."""
    root = tmp_path_factory.mktemp("classifier") / "project"
    shutil.copytree(
        EXAMPLE, root, ignore=shutil.ignore_patterns(".venv", "__pycache__", "weights", "secrets", "logs", "data")
    )
    network = host_network(dict(os.environ))
    words = ["docker", "build", "--quiet", "--file", str(root / "deploy/prod/Dockerfile"), "--tag", IMAGE]
    words += [f"--build-arg={name}={text}" for name, text in network.args.items()]
    words += ["--build-context", f"wheels={network.wheels}"] if network.wheels else []
    run([*words, str(root)], timeout_s=1800)
    (root / "weights").mkdir()
    mount = f"{root}/weights:/opt/classifier/weights"
    made = ["docker", "run", "--rm", "--network", "none", "--user", "0", "--volume", mount, IMAGE]
    run([*made, "python", "make_weights.py"], timeout_s=300)
    gathered = gather(root, ("prod",))
    world, _ = world_for_render(
        None, gathered.spec.models, gathered.present, probed=lambda: probe(root), reprobe=False, host=None
    )
    shutil.rmtree(root / "deploy")
    done = produce(gathered, world)
    write(output_folder(root, ("prod",)), None, done.lock, done.artifacts)
    return root, done.lock


class System:
    """The running deployment, asked by its domain."""

    def __init__(self, root: Path, plan: Plan, override: Path, profile: str = "prod") -> None:
        self.folder, self.plan, self._override = root / "deploy" / profile, plan, override
        self.root, self.name = root, f"mlpack-test-classifier-{profile}"

    def compose(self, *words: str, check: bool = True) -> str:
        """`docker compose` with the test's own name and ports."""
        files = ("--file", str(self.folder / "compose.yaml"), "--file", str(self._override))
        argv = ["docker", "compose", "--project-name", self.name, *files, *words]
        return run(argv, timeout_s=300, check=check).stdout

    @functools.cached_property
    def port(self) -> int:
        """Where this machine reaches the proxy's 443: asked once, as the proxy is never replaced."""
        return int(self.compose("port", "proxy", "443").strip().rpartition(":")[2])

    def containers(self, service: str) -> list[str]:
        """Ids, in the order of their numbers."""
        return self.compose("ps", "--quiet", service).split()

    def inside(self, service: str, *words: str) -> str:
        """What a program in the container says."""
        return self.compose("exec", "-T", service, *words)

    @property
    def key(self) -> str:
        """The API key that deploy.sh made."""
        return (self.folder / "secrets" / "api_key").read_text()

    def client(self) -> httpx.Client:
        """Trusts the proxy's own certificate, and no other."""
        context = ssl.create_default_context(cafile=str(self.folder / "secrets" / "proxy.crt"))
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            headers={"Host": DOMAIN},
            verify=context,
            timeout=120,
            trust_env=False,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=0),
        )


LIBTORCH = """
import glob
print(any("libtorch" in open(maps).read() for maps in glob.glob("/proc/[0-9]*/maps")))
"""
"""Whether a process of the container has loaded torch."""
SPAWNED = """
import glob, os
for file in glob.glob("/proc/[0-9]*/cmdline"):
    pid = file.split("/")[2]
    if int(pid) != os.getpid() and b"spawn_main" in open(file, "rb").read():
        print(pid)
"""
"""The pids of uvicorn's workers."""
EXTENSIONS = {"sni_hostname": DOMAIN}


def classify(client: httpx.Client, system: System, sample: str = "left.jpg", key: str | None = None) -> httpx.Response:
    """POST /classify with a sample; `key` in place of the right one."""
    data = (system.root / "samples" / sample).read_bytes()
    headers = {"X-API-Key": system.key if key is None else key}
    files = {"image": (sample, data)}
    return client.post("/classify", files=files, headers=headers, extensions=EXTENSIONS)


@pytest.fixture(scope="module")
def system(rendered: tuple[Path, Lock], tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Started once for all faults; ports are free ones."""
    standins.provide("nginx")
    root, lock = rendered
    override = tmp_path_factory.mktemp("override") / "ports.yaml"
    override.write_text(
        'services:\n  proxy:\n    ports: !override\n      - "127.0.0.1:0:443"\n      - "127.0.0.1:0:80"\n'
    )
    made = System(root, lock.plan, override)
    run(["sh", str(made.folder / "deploy.sh"), "secrets"])
    try:
        made.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "300")
        until(lambda: healthy(made), 120)
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "5", check=False)


def until(true: Callable[[], bool], within_s: float) -> None:
    """Waits for something to become true."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.5)


def healthy(system: System) -> bool:
    """Every actor answers, as seen through the proxy."""
    try:
        with system.client() as client:
            answer = client.get("/health", extensions=EXTENSIONS)
            return answer.status_code == 200 and answer.json() == {"ready": True, "actors": 2}
    except httpx.HTTPError:
        return False


def answers(system: System, times: int) -> bool:
    """So many requests in a row are answered rightly."""
    with system.client() as client:
        found = [classify(client, system) for _ in range(times)]
    return all(answer.status_code == 200 and answer.json()["label"] == "left" for answer in found)


def in_load(system: System, fault: Callable[[], object], *, after_s: float = 6.0, at_once: int = 4) -> Counter[int]:
    """Statuses of requests that come before, while and after ``fault`` happens; wrong labels count as 0."""
    found: Counter[int] = Counter()
    stop = threading.Event()
    guard = threading.Lock()

    def ask() -> None:
        with system.client() as client:
            while not stop.is_set():
                try:
                    answer = classify(client, system)
                    right = answer.status_code != 200 or answer.json()["label"] == "left"
                    status = answer.status_code if right else 0
                except httpx.HTTPError:
                    status = -1
                with guard:
                    found[status] += 1

    threads = [threading.Thread(target=ask) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    try:
        fault()
        time.sleep(after_s)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return found


def actor_pids(system: System) -> dict[str, int]:
    """Name of each model's actor -> its process in the head's container."""
    code = (
        "import ray,json; ray.init('127.0.0.1:6379', namespace='classifier', log_to_driver=False, logging_level=50)\n"
        "print(json.dumps({n: ray.get(ray.get_actor(n).ready.remote()) for n in ('clip','trees')}))"
    )
    said: dict[str, int] = json.loads(system.inside("ray", "python", "-c", code).splitlines()[-1])
    return said


def test_doctor_finds_nothing_wrong(system: System) -> None:
    doctors.finds_nothing(system.compose)


@pytest.mark.parametrize(
    ("sample", "label"), [("left.jpg", "left"), ("right.jpg", "right"), ("closed.jpg", "closed"), ("large.jpg", "left")]
)
def test_right_answers_by_https(system: System, sample: str, label: str) -> None:
    with system.client() as client:
        answer = classify(client, system, sample)
    assert answer.status_code == 200
    assert answer.json()["label"] == label
    assert set(answer.json()["votes"]) == {"clip", "trees"}
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Strict-Transport-Security" in answer.headers
    assert "nginx/" not in answer.headers["Server"]


@pytest.mark.parametrize(
    ("sample", "key", "status", "words"),
    [
        ("left.jpg", "", 401, "X-API-Key"),
        ("left.jpg", "wrong", 401, "X-API-Key"),
        ("words.jpg", None, 415, "neither JPEG nor PNG"),
        ("truncated.png", None, 422, "damaged"),
        ("bomb.png", None, 413, "10000 x 10000 pixels"),
    ],
)
def test_what_is_refused_is_told_why(system: System, sample: str, key: str | None, status: int, words: str) -> None:
    with system.client() as client:
        answer = classify(client, system, sample, key)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_limits_at_the_door(system: System) -> None:
    """Bodies over the limit never reach the app; plain HTTP leads to HTTPS; only the named site's pages may ask."""
    with system.client() as client:
        large = client.post("/classify", content=b"x" * (10 * 1024**2 + 1), extensions=EXTENSIONS)
        assert large.status_code == 413
        asked = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "POST"}
        allowed = client.options("/classify", headers=asked, extensions=EXTENSIONS)
        assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
        refused = client.options("/classify", headers={**asked, "Origin": "https://evil.org"}, extensions=EXTENSIONS)
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert "classifier" in client.get("/docs", extensions=EXTENSIONS).text
    plain = int(system.compose("port", "proxy", "80").strip().rpartition(":")[2])
    answer = httpx.get(f"http://127.0.0.1:{plain}/docs?x=1", headers={"Host": DOMAIN}, trust_env=False)
    assert (answer.status_code, answer.headers["Location"]) == (301, f"https://{DOMAIN}/docs?x=1")


def test_all_workers_joined_the_one_ray(system: System) -> None:
    """One head, an actor a model; no API container runs a Ray of its own, and none loaded torch."""
    for container in system.containers("api"):
        names = run(["docker", "top", container, "-o", "pid,args"]).stdout
        assert not re.search("gcs_server|raylet", names)
    assert system.inside("api", "python", "-c", LIBTORCH).strip() == "False"
    tops = run(["docker", "top", system.containers("ray")[0], "-o", "pid,args"]).stdout
    assert len(re.findall(r"gcs_server --log", tops)) == 1
    assert len(re.findall(r"ray::ClipActor", tops)) == 1
    assert len(re.findall(r"ray::TreesActor", tops)) == 1


def test_rays_settings_are_in_force(system: System) -> None:
    """Store, cores, thread and memory settings as planned, in the running processes."""
    plan = system.plan.services["ray"]
    assert plan.memory.shm_bytes is not None
    code = (
        "import ray,json; ray.init('127.0.0.1:6379', logging_level=50, log_to_driver=False)\n"
        "print(json.dumps(ray.cluster_resources()))"
    )
    resources = json.loads(system.inside("ray", "python", "-c", code).splitlines()[-1])
    assert resources["CPU"] == int(plan.cpus.value)
    assert resources["object_store_memory"] == int(0.8 * plan.memory.shm_bytes.value)
    shm = system.inside("ray", "df", "--output=size", "--block-size=1", "/dev/shm").split()[-1]
    assert int(shm) == plan.memory.shm_bytes.value
    pid = actor_pids(system)["clip"]
    environ = system.inside("ray", "cat", f"/proc/{pid}/environ").split("\0")
    assert f"OMP_NUM_THREADS={plan.environment['OMP_NUM_THREADS'].value}" in environ
    assert "RAY_memory_monitor_refresh_ms=0" in environ
    assert "RAY_USAGE_STATS_ENABLED=0" in environ
    logs = "/tmp/ray/session_latest/logs"
    raylet = system.inside("ray", "sh", "-c", f"cat {logs}/raylet.out")
    assert "MemoryMonitor disabled" in raylet
    rotating = system.inside("ray", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "--logging-rotate-bytes=1048576" in rotating
    assert "--logging-rotate-backup-count=1" in rotating
    # gRPC's fork handlers say so whenever a process is started for a client; without them no start is broken.
    joined = system.inside("ray", "sh", "-c", f"cat {logs}/ray_client_server.err")
    assert "SpecificServer started" in joined
    assert "fork() handlers" not in joined
    assert "startup failed" not in joined


def test_the_guides_commands_answer(system: System) -> None:
    """What DEPLOYMENT.md tells to look at Ray with."""
    said = system.inside("ray", "python", "/opt/classifier/deploy/prod/ray.ray_head.py", "health", "5")
    assert json.loads(said) == {"actors": 2, "wanted": 2}
    assert "/dev/shm" in system.inside("ray", "df", "-h", "/dev/shm")
    logs = "/tmp/ray/session_latest/logs"
    assert system.inside("ray", "sh", "-c", f"tail -n 20 {logs}/raylet.out {logs}/gcs_server.out")
    shares = system.inside("api", "sh", "-c", 'grep -E "^(Rss|Pss|Pss_Anon):" /proc/[0-9]*/smaps_rollup')
    assert shares.count("Pss_Anon:") >= system.plan.services["api"].workers.value
    guide = (system.folder / "DEPLOYMENT.md").read_text()
    assert "python /opt/classifier/deploy/prod/ray.ray_head.py health 5" in guide
    assert 'grep -E "^(Rss|Pss|Pss_Anon):" /proc/[0-9]*/smaps_rollup' in guide


def test_answers_are_logged_in_the_volume(system: System) -> None:
    with system.client() as client:
        assert classify(client, system).status_code == 200
    assert "left" in (system.root / "logs" / "classifier.log").read_text()


def test_nginx_takes_its_file(system: System) -> None:
    said = run(["docker", "exec", system.containers("proxy")[0], "nginx", "-t"])
    assert "test is successful" in said.stderr


def test_fifty_clients_and_no_error(system: System) -> None:
    def ask(_: int) -> int:
        with system.client() as client:
            return [classify(client, system).status_code for _ in range(4)].count(200)

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(ask, range(50))) == 200


def test_too_many_requests_are_told_so(system: System) -> None:
    """More than the rate and its burst: 429 for the excess, right answers for the rest, and all is well after it."""

    def ask(_: int) -> int:
        with system.client() as client:
            return client.get("/nothing", extensions=EXTENSIONS).status_code

    with ThreadPoolExecutor(160) as pool:
        found = Counter(pool.map(ask, range(640)))
    assert set(found) <= {404, 429}
    assert found[404] >= 100
    until(lambda: healthy(system), 120)


@pytest.mark.parametrize("model", ["clip", "trees"])
def test_a_killed_actor_is_made_again_and_nothing_is_lost(system: System, model: str) -> None:
    before = actor_pids(system)
    found = in_load(system, lambda: system.inside("ray", "sh", "-c", f"kill -9 {before[model]}"))
    assert set(found) == {200}, found
    until(lambda: healthy(system), 120)
    after = actor_pids(system)
    assert after[model] != before[model]
    assert {k: v for k, v in after.items() if k != model} == {k: v for k, v in before.items() if k != model}


def test_a_killed_worker_is_replaced_and_nothing_is_lost(system: System) -> None:
    """uvicorn's supervisor starts another; what the dead one was working on is asked of the other replica."""
    container = system.containers("api")[0]
    wanted = system.plan.services["api"].workers.value
    # On a starved machine uvicorn itself replaces a worker that did not answer its ping in time.
    until(lambda: len(run(["docker", "exec", container, "python", "-c", SPAWNED]).stdout.split()) == wanted, 60)
    pids = run(["docker", "exec", container, "python", "-c", SPAWNED]).stdout.split()
    found = in_load(system, lambda: run(["docker", "exec", container, "sh", "-c", f"kill -9 {pids[0]}"]))
    assert set(found) == {200}, found
    until(lambda: len(run(["docker", "exec", container, "python", "-c", SPAWNED]).stdout.split()) == len(pids), 30)
    until(lambda: healthy(system), 120)


def test_a_killed_replica_and_scaling_under_load(system: System) -> None:
    """Replicas are found by name: gone, replaced, more and fewer, without a restart of the proxy."""
    proxy = system.containers("proxy")
    killed = system.containers("api")[1]
    found = in_load(system, lambda: run(["docker", "rm", "--force", killed]))
    # The second round may meet another worker of the same replica, which dies some milliseconds later; nginx knows no
    # third (one 502 in 7 such kills, in about 1,900 requests).
    assert set(found) <= {200, 502} and found[502] <= 1, found
    # A new replica has a name, and so would have requests, from its first moment; until a worker has joined Ray, it
    # takes no connection, and they go to another.
    up = in_load(system, lambda: system.compose("up", "--detach", "--no-build", "--wait", "--scale", "api=3", "api"))
    assert set(up) == {200}, up
    assert len(system.containers("api")) == 3
    assert killed not in system.containers("api")
    down = in_load(system, lambda: system.compose("up", "--detach", "--no-build", "--scale", "api=2", "api"))
    # One that is told to stop takes no new connection, and answers what it has: api_uvicorn.py.
    assert set(down) == {200}, down
    assert len(system.containers("api")) == 2
    assert system.containers("proxy") == proxy


def test_a_head_that_was_away_is_joined_again(system: System) -> None:
    """The head ends with all its actors; its container is started anew, the API says 503 meanwhile and then answers."""
    found = in_load(
        system, lambda: system.inside("ray", "sh", "-c", "pkill -9 -x gcs_server || kill -9 $(pidof gcs_server)")
    )
    assert set(found) <= {200, 503}, found
    until(lambda: answers(system, 8), 120)  # each worker joins again by itself: one that is healthy is not all


def test_verify_passes(rendered: tuple[Path, Lock], system: System) -> None:
    system.compose("down", "--timeout", "5")
    root, lock = rendered
    report = verify(root, lock, launcher="compose", progress=print)
    unwanted = [(r.name, r.status, r.summary, r.evidence) for r in report.checks if r.status in ("failed", "skipped")]
    assert unwanted == []
    assert report.load is not None
    assert (report.load.concurrency, report.load.errors) == (50, 0)
    assert (root / "deploy/prod/secrets/api_key").read_text() not in report.to_json()
    mine = f" pid={os.getpid()} "
    assert [found for found in engine.labelled(os.environ) if mine in found.label] == []


def test_dev_starts_and_answers(rendered: tuple[Path, Lock], system: System, tmp_path: Path) -> None:
    """The laptop's profile, with the image that is here already."""
    system.compose("down", "--timeout", "5")
    root, lock = rendered
    made = produce(gather(root, ("dev",)), lock.world)
    write(output_folder(root, ("dev",)), None, made.lock, made.artifacts)
    override = tmp_path / "dev.yaml"
    lines = [f'  {name}: {{image: "{IMAGE}"}}' for name in ("api", "ray", "mlpack-folders")]
    ports = '!override ["127.0.0.1:0:443", "127.0.0.1:0:80"]'
    override.write_text("\n".join(("services:", *lines, f"  proxy: {{ports: {ports}}}", "")))
    dev = System(root, made.lock.plan, override, "dev")
    run(["sh", str(dev.folder / "deploy.sh"), "secrets"])
    try:
        dev.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "300")
        until(lambda: healthy(dev), 120)
        with dev.client() as client:
            assert classify(client, dev).json()["label"] == "left"
    finally:
        dev.compose("down", "--volumes", "--timeout", "5", check=False)


def test_the_files_compose_reads_are_the_plans(rendered: tuple[Path, Lock]) -> None:
    root, lock = rendered
    compose = yaml.safe_load((root / "deploy/prod/compose.yaml").read_text())
    services: dict[str, Any] = compose["services"]
    shm = lock.plan.services["ray"].memory.shm_bytes
    assert shm is not None
    assert services["ray"]["shm_size"] == f"{shm.value // 1024**2}M"
    assert services["api"]["deploy"]["replicas"] == 2
    assert services["api"]["depends_on"] == {
        "ray": {"condition": "service_healthy"},
        "mlpack-folders": {"condition": "service_completed_successfully"},
    }
