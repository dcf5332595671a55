"""What counts as ready, ill or done of containers and units, as their keepers report them."""

from __future__ import annotations

from typing import Any

import pytest

from mlpack.launchers.rendered import Part, part_of, unit_part


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
