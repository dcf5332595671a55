# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
"""Starts Ray's head, makes the app's actors, and ends when either is beyond repair: the container is then started anew.

`ray_head.py` runs it; `ray_head.py health SECONDS` asks a running one and exits 0 only if every actor answers.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

APP = "actors:deploy"
NAMESPACE = "classifier"
START = ["ray", "start", "--head", "--block", "--port", "6379", "--ray-client-server-port", "10001", "--num-cpus", "2", "--object-store-memory", "78852915", "--include-dashboard", "false", "--disable-usage-stats"]
CLIENT_PORT = 10001
GCS = "127.0.0.1:6379"
HEALTH_PORT = 8266
ANSWER_S = 4.9
GRACE_S = 18
TRIES = 3
"""Ray gives its own processes 30 s to start (fixed in its source), which a machine busy with other starts may exceed."""


def health(patience_s):
    """The exit code of the health check."""
    connection = http.client.HTTPConnection("127.0.0.1", HEALTH_PORT, timeout=patience_s)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        print(answer.read().decode(errors="replace"))
        return 0 if answer.status == 200 else 1
    except (OSError, http.client.HTTPException) as error:
        print(f"{type(error).__name__}: {error}")
        return 1


class Health(BaseHTTPRequestHandler):
    """Answers 200 only while every actor has loaded and answers."""

    def do_GET(self):
        actors = self.server.actors
        alive = answering(actors) if actors else 0
        ready = 0 < len(actors) == alive
        body = json.dumps({"actors": alive, "wanted": len(actors)}).encode()
        try:
            self.send_response(200 if ready else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            pass  # the check did not wait any longer

    def log_message(self, format, *args):
        pass


def answering(actors):
    """How many of ``actors`` have loaded and answer now."""
    import ray

    calls = [actor.__ray_ready__.remote() for actor in actors]
    alive = 0
    for call in ray.wait(calls, num_returns=len(calls), timeout=ANSWER_S)[0]:
        try:
            ray.get(call)
            alive += 1
        except ray.exceptions.RayError:
            pass  # it died, and Ray makes it again
    return alive


def deploy(server):
    """Join the head as a driver, and make the app's actors."""
    import importlib

    import ray

    ray.init(GCS, namespace=NAMESPACE)
    module, _, function = APP.partition(":")
    actors = getattr(importlib.import_module(module), function)()
    server.actors = list(actors.values() if isinstance(actors, dict) else actors)
    print(f"Ray's head is up, {len(server.actors)} actors are being made", flush=True)


def main(tries_left):
    sys.path.insert(0, os.getcwd())
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, lambda *_: stopping.set())
    head = subprocess.Popen(START)
    server = ThreadingHTTPServer(("127.0.0.1", HEALTH_PORT), Health)
    server.actors = []
    server.daemon_threads = True
    failed = []

    def make():
        try:
            if wait_for_client_server(head, stopping):
                deploy(server)
        except BaseException as error:
            import traceback

            traceback.print_exc()
            failed.append(error)

    for work in (server.serve_forever, make):
        threading.Thread(target=work, daemon=True).start()
    while head.poll() is None and not failed and not stopping.is_set():
        stopping.wait(0.5)
    started = bool(server.actors) or head.poll() is None
    if head.poll() is None:
        head.terminate()
        try:
            head.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            head.kill()
    server.server_close()
    sys.stdout.flush()
    if not (started or stopping.is_set()) and tries_left > 1:
        print("Ray's head did not start: once more", flush=True)
        os.execv(sys.executable, [sys.executable, sys.argv[0], "start", str(tries_left - 1)])
    os._exit(0 if stopping.is_set() else 1)  # Ray's own threads would wait for a head that is gone


def wait_for_client_server(head, stopping):
    """Whether others can reach Ray's head; False once it has ended."""
    import socket

    while head.poll() is None and not stopping.is_set():
        try:
            socket.create_connection(("127.0.0.1", CLIENT_PORT), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.2)
    return False


if __name__ == "__main__":
    if sys.argv[1:2] == ["health"]:
        sys.exit(health(float(sys.argv[2])))
    main(int(sys.argv[2]) if sys.argv[1:2] == ["start"] else TRIES)
