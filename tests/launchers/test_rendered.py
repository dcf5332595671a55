"""What counts as ready, ill or done of containers and units, as their keepers report them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from mlpack.commands.rendered import is_root
from mlpack.errors import MlpackError, TransientError
from mlpack.launchers.rendered import Part, Rendered, part_of, unit_part
from mlpack.plan import Plan


def inspected(status: str, code: int = 0, health: str | None = None) -> dict[str, Any]:
    state: dict[str, Any] = {"Status": status, "ExitCode": code}
    if health:
        state["Health"] = {"Status": health}
    return {"Name": "/p-web-1", "State": state, "Config": {"Labels": {"com.docker.compose.service": "web"}}}


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (inspected("running", 0, "healthy"), "good", "running, healthy"),
        (inspected("running"), "good", "running"),
        (inspected("running", 0, "starting"), "waiting", "running, starting"),
        (inspected("running", 0, "unhealthy"), "bad", "running, unhealthy"),
        (inspected("created"), "waiting", "created"),
        (inspected("exited", 0), "done", "exited with 0"),
        (inspected("exited", 137), "bad", "exited with 137"),
        (inspected("dead", 0), "bad", "dead with 0"),
        (inspected("restarting", 1), "bad", "restarting, ended with 1"),
    ],
)
def test_containers(found: dict[str, Any], state: str, words: str) -> None:
    part = part_of(found)
    assert (part.service, part.name, part.state, part.words) == ("web", "p-web-1", state, words)


def test_a_container_without_labels_goes_by_its_name() -> None:
    found = {"Name": "/own", "State": {"Status": "running"}, "Config": {"Labels": None}}
    assert part_of(found) == Part("own", "own", "running", "good")


@pytest.mark.parametrize(
    ("active", "state"),
    [("active", "good"), ("activating", "waiting"), ("failed", "bad"), ("inactive", "absent"), ("", "absent")],
)
def test_units(active: str, state: str) -> None:
    assert unit_part("web", "p-web.service", active).state == state


def test_windows_is_told_where_the_scripts_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "geteuid")  # Windows has none
    assert is_root() is False
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(MlpackError, match="POSIX shell") as caught:
        Rendered(tmp_path, cast("Plan", None), {}).require(root=is_root())
    assert "WSL 2" in str(caught.value.hint)


SHOWN = "Container p-web-1  Error\ndeploy.sh: last lines of p-web-1\n  OSError: address already in use\n"


def test_what_an_app_says_is_not_the_engines_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's own "address already in use" is no taken port; the engine's is, and may be free the next time."""
    monkeypatch.setattr(Rendered, "_containers", lambda _: (Part("web", "p-web-1", "exited with 1", "bad"),))
    error = Rendered(tmp_path, cast("Plan", None), {})._failure(SHOWN)
    assert not isinstance(error, TransientError)
    assert error.what == "web: exited with 1"
    taken = "Error response from daemon: Bind for 0.0.0.0:80 failed: port is already allocated\n" + SHOWN
    assert isinstance(Rendered(tmp_path, cast("Plan", None), {})._failure(taken), TransientError)
