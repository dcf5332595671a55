"""Where a deployment can run, one module each; ``TARGETS`` is the list of those that can be rendered."""

from __future__ import annotations

from mlpack.spec import TargetName
from mlpack.targets import compose, systemd
from mlpack.targets.base import Target

TARGETS: dict[TargetName, Target] = {"compose": compose, "systemd": systemd}
