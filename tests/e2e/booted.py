"""A container that boots systemd, as a host of its own: units with their limits and sandboxes are real in it."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import time
import uuid
from pathlib import Path

from tests.e2e import standins

from mlpack.launchers.this_machine import host_network
from mlpack.process import Completed, run

HOST = Path(__file__).parent / "images" / "host"
REPOSITORY = Path(__file__).parent.parent.parent
MLPACK = {str(REPOSITORY): "/mlpack,readonly"}
"""A mount for hosts on which mlpack itself is run."""
BOOT_S = 60.0
SOCKET = "/srv/docker.sock"
"""Where such a host finds the engine, which is this machine's; /run is emptied when it boots."""


def provide_host(app: str | None = None) -> str:
    """The image of such a host, with the Python environment of the image ``app`` where one is named; its name."""
    standins.provide("caddy")
    name = f"mlpack-stand-in-host-{app.partition(':')[0]}" if app else "mlpack-stand-in-host"
    arguments = [f"--build-arg={key}={text}" for key, text in host_network(dict(os.environ)).args.items()]
    words = ["docker", "build", "--quiet", "--label", "mlpack.stand-in=yes", "--tag", name]
    words += ["--target", "host", f"--build-arg=APP={app}"] if app else ["--target", "bare"]
    run([*words, *arguments, str(HOST)], timeout_s=600)
    return name


def engine_mounts() -> dict[str, str]:
    """This machine's engine and its programs, for a host that shares its network and the project's path."""
    docker = shutil.which("docker")
    assert docker is not None
    known = json.loads(run(["docker", "info", "--format", "{{json .ClientInfo.Plugins}}"]).stdout)
    plugins = {Path(plugin["Path"]) for plugin in known}
    return {
        "/var/run/docker.sock": SOCKET,
        str(Path(docker).resolve()): "/usr/local/bin/docker,readonly",
        **{str(path.resolve()): f"/usr/local/lib/docker/cli-plugins/{path.name},readonly" for path in plugins},
    }


class Booted:
    """One such host, from boot to removal; ``with`` removes it."""

    def __init__(self, image: str, mounts: dict[str, str] | None = None, *, network: str = "bridge") -> None:
        self.name = f"mlpack-test-{uuid.uuid4().hex[:10]}"
        words = ["docker", "run", "--detach", "--name", self.name, "--hostname", "host", "--network", network]
        words += ["--add-host", "knee.localhost:127.0.0.1"]
        words += [
            "--cap-add",
            "SYS_ADMIN",
            "--security-opt",
            "seccomp=unconfined",
            "--security-opt",
            "apparmor=unconfined",
        ]
        words += [
            "--tmpfs",
            "/run",
            "--tmpfs",
            "/run/lock",
            "--tmpfs",
            "/tmp",
            "--volume",
            "/sys/fs/cgroup:/sys/fs/cgroup",
        ]
        for source, target in (mounts or {}).items():
            words += ["--mount", f"type=bind,source={source},target={target}"]
        run([*words, image], timeout_s=60)

    def __enter__(self) -> Booted:
        self.wait_booted()
        return self

    def __exit__(self, *_: object) -> None:
        run(["docker", "rm", "--force", "--volumes", self.name], timeout_s=60, check=False)

    def wait_booted(self) -> None:
        """Until systemd says that it has started everything."""
        deadline = time.monotonic() + BOOT_S
        while True:
            said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            if said in ("running", "degraded"):
                return
            assert time.monotonic() < deadline, f"it did not boot: {said}"
            time.sleep(0.3)

    def run(self, *argv: str, check: bool = True, timeout_s: float = 120.0) -> Completed:
        """``argv`` on that host, as root."""
        return run(["docker", "exec", self.name, *argv], timeout_s=timeout_s, check=check)

    def mlpack(self, *words: str, check: bool = True, timeout_s: float = 400.0) -> Completed:
        """``mlpack`` on that host, which has ``MLPACK`` mounted: this source, with this environment's packages."""
        packages = Path(sysconfig.get_path("purelib")).relative_to(REPOSITORY)
        environ = (f"PYTHONPATH=/mlpack/src:/mlpack/{packages}", f"DOCKER_HOST=unix://{SOCKET}")
        return self.run("env", *environ, "python3", "-m", "mlpack", *words, check=check, timeout_s=timeout_s)

    def reboot(self) -> None:
        """Stop it as a shutdown does, and boot it again."""
        run(["docker", "restart", "--time", "90", self.name], timeout_s=150)
        self.wait_booted()

    def show(self, unit: str, key: str) -> str:
        """A property of a unit, as systemd sees it."""
        return self.run("systemctl", "show", "--property", key, "--value", unit).stdout.strip()
