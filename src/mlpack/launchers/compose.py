"""Starts a rendered compose file under a name, ports and labels of its own, and removes all of it again."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlpack.errors import MlpackError, VerifyError
from mlpack.launchers import engine
from mlpack.launchers.base import Built, Deployment, Instance, LauncherName, Say, Seen, State
from mlpack.launchers.build_log import error_of, worth_showing
from mlpack.launchers.certificates import local_caddyfiles
from mlpack.launchers.compose_config import NO_RESTART, platforms, restart_policies, written_folders
from mlpack.launchers.container import Container
from mlpack.launchers.events import Event, Following
from mlpack.launchers.image_files import image_folders, image_ids, remove_replaced
from mlpack.launchers.leftovers import OWNER_FILE, sweep_engine, sweep_folders
from mlpack.launchers.override import override_file
from mlpack.launchers.owner import Owner
from mlpack.launchers.pip_settings import BuildNetwork
from mlpack.launchers.secret_values import make_secrets, read_secrets
from mlpack.launchers.start_error import start_error
from mlpack.launchers.this_machine import host_network
from mlpack.process import Completed, stream

NAME: LauncherName = "compose"
COMPOSE_FILE = "compose.yaml"
CARDS_FILE = "compose.gpu.yaml"
USER_FILE = "compose.override.yaml"
"""The user's own changes, beside the rendered file; compose reads it by itself only when no file is named."""
BUILD_S = 3600.0
START_S = 600.0
"""Creating and starting, a pull of ready-made images and the wait for upstream services included."""
MOST_STOP_S = 10
"""Nobody waits for an answer any more when verify takes a service down; the plan's own grace may be minutes."""
LOCAL_BECAUSE = "nobody outside can reach a trial, and public authorities count attempts"
REMOVE_TRIES = 3
"""A container that was being made while it was interrupted may appear a moment after a first look."""


def missing(environ: Mapping[str, str]) -> str | None:
    """Why there is no engine to use; None when one answers and has Compose."""
    return engine.missing(environ)


def launch(deployment: Deployment, say: Say) -> Composed:
    """A run of ``deployment``. Raises TransientError (no engine answers) and VerifyError (no compose file)."""
    engine.require(deployment.environ)
    if not (deployment.folder / COMPOSE_FILE).is_file():
        raise VerifyError(
            "there is no rendered compose file",
            where=str(deployment.folder / COMPOSE_FILE),
            hint="`mlpack render` first",
        )
    return Composed(deployment, say)


def sweep(owner: Owner, environ: Mapping[str, str], say: Say) -> tuple[str, ...]:
    """Remove containers, networks, volumes and temporary folders of dead earlier runs."""
    return sweep_engine(owner, environ, say) + sweep_folders(owner, Path(tempfile.gettempdir()))


class Composed:
    """One compose project, ``mlpack-verify-<run>``, from build to removal."""

    name = NAME

    def __init__(self, deployment: Deployment, say: Say) -> None:
        self._deployment, self._say = deployment, say
        self._scratch: Path | None = None
        self._files: tuple[Path, ...] = ()
        self._secrets: dict[str, str] = {}
        self._known: dict[str, Container] = {}
        self._told: set[str] = set()
        self._started_at: dict[str, float] = {}
        self._policies: dict[str, str] = {}
        self.not_limited: tuple[str, ...] = ()

    def build(self) -> Built:
        """Build the images. Raises BuildFailed, TransientError, VerifyError (the compose file is wrong)."""
        config = self._prepare()
        built = [name for name, service in config["services"].items() if "build" in service]
        if built:
            self._say("building " + ", ".join(built))
            own = [config["services"][name]["image"] for name in built if "image" in config["services"][name]]
            replaced = image_ids(own, self._deployment.environ)
            build = self.argv(("--progress", "plain", "build"))
            done = stream(build, self._say_build, env=self._deployment.environ, timeout_s=BUILD_S)
            if done.code != 0:
                raise error_of(done.stdout, platforms(config))
            remove_replaced(replaced, self._deployment.environ)
        images = sorted({config["services"][name]["image"] for name in built if "image" in config["services"][name]})
        used = sorted({service["image"] for service in config["services"].values() if "image" in service})
        folders, reason = image_folders(used, self._deployment.environ)
        kept = (f"images kept as a build cache: {', '.join(images)}",) if images else ()
        return Built(kept, folders, reason)

    @property
    def secrets(self) -> Mapping[str, str]:
        """Values of the deployment's secrets; empty until built."""
        return self._secrets

    def start(self, seen: Seen) -> tuple[Instance, ...]:
        """`compose up --detach`. Raises TransientError (pull, port) and VerifyError (a container cannot start)."""
        environ = self._deployment.environ
        with Following(environ, self._deployment.owner.label, lambda event: self._happened(event, seen)):
            done = self._compose(("--progress", "plain", "up", "--detach", "--no-build"), timeout_s=START_S)
        found = self._containers()
        for container in found:
            self._tell(container, seen)
        if done.code != 0:
            raise self._start_error(done.stdout)
        return tuple(container for container in found if container.service in self._deployment.plan.services)

    def _happened(self, event: Event, seen: Seen) -> None:
        """Note when a container started and became healthy; tell of planned ones as soon as they run."""
        if event.what == "started":
            self._started_at[event.container] = event.at_s
            with suppress(MlpackError):  # it has ended already: `up` or the first check says so
                self._tell(self._container(event.container), seen)
        elif event.container in self._known and event.container in self._started_at:
            container = self._known[event.container]
            if container.healthy_after_s is None:
                container.healthy_after_s = event.at_s - self._started_at[event.container]

    def _tell(self, container: Container, seen: Seen) -> None:
        if container.container not in self._told and container.service in self._deployment.plan.services:
            self._told.add(container.container)
            seen(container)

    def _container(self, ident: str) -> Container:
        """The one object for a container: what was noted of its start stays with it. Raises VerifyError: gone."""
        if ident not in self._known:
            deployment = self._deployment
            self._known[ident] = Container(ident, deployment.environ, deployment.plan, deployment.folder)
            self._known[ident].policy = self._policies.get(self._known[ident].service, NO_RESTART)
        return self._known[ident]

    def stop(self) -> tuple[str, ...]:
        """Everything down, by the project and then by label; what is left, if anything, in words."""
        try:
            self._down()
            return self._remove_labelled()
        except MlpackError as error:  # the engine is gone or stuck: the report matters more than this error
            return (f"the engine did not answer ({error.what}): the next run removes what is left",)
        finally:
            if self._scratch is not None:
                shutil.rmtree(self._scratch, ignore_errors=True)
                self._scratch = None
            self._files = ()

    def _down(self) -> None:
        """`compose down`, which lets programs end in their own way; a down that hangs is followed by force."""
        if not self._files:
            return
        graces = [service.times.stop_grace_s.value for service in self._deployment.plan.services.values()]
        down = ("down", "--volumes", "--remove-orphans", "--timeout", str(min([MOST_STOP_S, *graces])))
        with suppress(MlpackError):
            stream(self.argv(down), lambda _: None, env=self._deployment.environ, timeout_s=engine.REMOVE_S)

    def _remove_labelled(self) -> tuple[str, ...]:
        environ, left = self._deployment.environ, tuple[engine.Found, ...]()
        for _ in range(REMOVE_TRIES):
            left = engine.labelled(environ, label=self._deployment.owner.label)
            if not left:
                break
            engine.remove(left, environ)
        return tuple(f"{thing.kind} {thing.ident}" for thing in left)

    def _prepare(self) -> dict[str, Any]:
        """Write the override file; the merged configuration."""
        folder, owner, plan = self._deployment.folder, self._deployment.owner, self._deployment.plan
        make_secrets(plan, folder, self._deployment.environ, self._say)
        self._secrets = read_secrets(plan, folder)
        further = [folder / name for name in (CARDS_FILE, USER_FILE) if (folder / name).is_file()]
        rendered = [folder / COMPOSE_FILE, *further]
        self._files = tuple(rendered)
        below = self._config()
        self._policies = restart_policies(below)
        self._scratch = Path(tempfile.mkdtemp(prefix=f"{owner.project}-"))  # 0700: it may hold a proxy's password
        (self._scratch / OWNER_FILE).write_text(owner.label, encoding="utf-8")
        for line in written_folders(below):
            self._say(line)
        builds = any("build" in service for service in below["services"].values())
        network = host_network(self._deployment.environ) if builds else BuildNetwork({})
        for line in network.said:
            self._say(line)
        above = self._scratch / "compose.verify.yaml"
        local = local_caddyfiles(plan, self._deployment.root, self._scratch)
        for name in local:
            self._say(f"{name}: certificates of its own authority instead of a public one: {LOCAL_BECAUSE}")
        above.write_text(override_file(self._deployment, below, network, local), encoding="utf-8")
        self._files = (*rendered, above)
        return self._config()

    def _config(self) -> dict[str, Any]:
        done = stream(
            self.argv(("config", "--format", "json")), lambda _: None, env=self._deployment.environ, timeout_s=60
        )
        if done.code != 0:
            raise VerifyError(f"compose refuses the files: {engine.last_line(done.stdout)}", where=str(self._files[0]))
        start = done.stdout.index("{")  # warnings about unset variables come first
        value: dict[str, Any] = json.loads(done.stdout[start:])
        return value

    def _containers(self) -> tuple[Container, ...]:
        """Every container of this run, one-shot helpers too, by name."""
        listed = engine.labelled(self._deployment.environ, label=self._deployment.owner.label)
        found = [self._container(thing.ident) for thing in listed if thing.kind == "container"]
        return tuple(sorted(found, key=lambda container: container.name))

    def _start_error(self, output: str) -> MlpackError:
        logs = {one.name: one.logs(15) for one in self._containers() if _is_wrong(one.state())}
        return start_error(output, logs)

    def _compose(self, words: Sequence[str], *, timeout_s: float) -> Completed:
        return stream(self.argv(words), self._say, env=self._deployment.environ, timeout_s=timeout_s)

    def _say_build(self, line: str) -> None:
        shown = worth_showing(line)
        if shown is not None:
            self._say(shown)

    def argv(self, words: Sequence[str]) -> tuple[str, ...]:
        """``docker compose WORDS`` for this run's project and files; complete once built."""
        files = [word for file in self._files for word in ("--file", str(file))]
        return ("docker", "compose", "--project-name", self._deployment.owner.project, *files, *words)


def _is_wrong(state: State) -> bool:
    """It ended with an error, or is not healthy: its log may say why the others could not start."""
    return state.health == "unhealthy" or (not state.running and state.exit_code != 0)
