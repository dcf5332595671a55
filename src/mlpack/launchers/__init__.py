"""The ways to start what was rendered; ``LAUNCHERS`` is the whole list."""

from __future__ import annotations

from mlpack.launchers import compose, process, systemd
from mlpack.launchers.base import Launcher, LauncherName

LAUNCHERS: dict[LauncherName, Launcher] = {"compose": compose, "process": process, "systemd": systemd}
