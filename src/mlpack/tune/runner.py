"""One trial: render the copy with the settings, verify it, judge. Earlier trials are recalled, new ones kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.errors import DoesNotFit, MlpackError, TransientError, UsageError, VerifyError
from mlpack.flow import gather, output_folder, produce
from mlpack.lock import Lock
from mlpack.plan import Decided, Plan
from mlpack.spec import Request
from mlpack.tune.batch import resized
from mlpack.tune.trial import State, Trial, judged
from mlpack.units import MIB
from mlpack.verify import verify
from mlpack.verify.checks import CHECKS
from mlpack.write import read_lock, replace_file, write

ASKED = ("builds", "cards", "starts", "ready", "every_worker", "answers", "load", "memory")
"""Of verify's checks those that a trial is judged by."""
USER_FILE = "compose.override.yaml"
BECAUSE = "tried by tune"


@dataclass
class Runner:
    """Runs trials of ``service`` in ``project``, a copy. ``state`` is kept in ``file`` after each."""

    project: Path
    profiles: tuple[str, ...]
    service: str
    base: Lock
    state: State
    file: Path
    until_s: float
    say: Callable[[str], None]
    launcher: str | None = None
    python: Path | None = None

    def attempt(self, settings: dict[str, int]) -> Trial | None:
        """The trial of ``settings``; None when the time is over. Raises TransientError, KeyboardInterrupt."""
        known = self.state.known(settings)
        shown = ", ".join(f"{name} {value}" for name, value in settings.items())
        if known is not None:
            self.say(f"{shown}: tried before: {known.words}")
            return known
        if time.monotonic() > self.until_s:
            return None
        self.say(f"{shown}: trying ({len(self.state.trials) + 1}. trial, {self._left()} left)")
        trial = self._run(settings)
        self.say(f"{shown}: {trial.words}")
        self.state = self.state.model_copy(update={"trials": (*self.state.trials, trial)})
        replace_file(self.file, self.state.to_json())
        return trial

    def _left(self) -> str:
        return f"{max(0.0, self.until_s - time.monotonic()) / 60:.0f} min"

    def _run(self, settings: dict[str, int]) -> Trial:
        try:
            lock = self._rendered(settings)
            report = verify(
                self.project,
                lock,
                launcher=self.launcher,
                python=self.python,
                progress=lambda line: self.say(f"  {line}"),
                skip=[name for name in CHECKS if name not in ASKED],
            )
        except DoesNotFit as error:
            return Trial(settings=settings, good=False, words=f"the plan refuses it: {error.what.splitlines()[0]}")
        except (TransientError, UsageError):
            raise
        except VerifyError as error:
            return Trial(settings=settings, good=False, words=error.what.splitlines()[0])
        return judged(settings, self.service, report)

    def _rendered(self, settings: dict[str, int]) -> Lock:
        """Render the copy; the lock to verify by, with the limit or batch that no spec can ask for."""
        sets = [f"services.{self.service}.{key}={settings[key]}" for key in ("workers", "threads") if key in settings]
        gathered = gather(self.project, self.profiles, sets)
        folder = output_folder(self.project, self.profiles)
        made = produce(gathered, self.base.world)
        write(folder, read_lock(folder), made.lock, made.artifacts)
        (folder / USER_FILE).unlink(missing_ok=True)
        plan = made.lock.plan
        if "limit_mib" in settings:
            plan = self._limited(plan, settings["limit_mib"], folder)
        if "batch" in settings:
            plan = plan.model_copy(
                update={"spec": plan.spec.model_copy(update={"requests": self._batched(plan, settings["batch"])})}
            )
        return made.lock.model_copy(update={"plan": plan})

    def _limited(self, plan: Plan, limit_mib: int, folder: Path) -> Plan:
        """The plan with another limit, and the compose override that sets it."""
        text = f"{limit_mib}M"
        resources = {"limits": {"memory": text}, "reservations": {"memory": text}}
        value: dict[str, Any] = {"deploy": {"resources": resources}, "memswap_limit": text}
        (folder / USER_FILE).write_text(json.dumps({"services": {self.service: value}}), encoding="utf-8")
        limit = Decided[int](value=limit_mib * MIB, source="user", because=BECAUSE)
        service = plan.services[self.service]
        memory = service.memory.model_copy(update={"limit_bytes": limit, "reservation_bytes": limit})
        services = {**plan.services, self.service: service.model_copy(update={"memory": memory})}
        return plan.model_copy(update={"services": services})

    def _batched(self, plan: Plan, batch: int) -> dict[str, Request]:
        """Only the largest request, with ``batch`` items; answers are not compared, as nobody knows them."""
        requests = plan.spec.requests
        name = next((name for name, one in requests.items() if one.largest), next(iter(requests), None))
        if name is None:
            raise MlpackError("there is no request to enlarge", hint="mlpack.yaml: requests")
        return {name: resized(requests[name], batch, self.project)}
