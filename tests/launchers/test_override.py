"""The file that verify lays over the rendered one, by itself and as compose itself reads it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.verify import hand

from mlpack.launchers.base import Deployment
from mlpack.launchers.override import override_file, verify_image
from mlpack.launchers.owner import LABEL, Owner
from mlpack.launchers.pip_settings import BuildNetwork
from mlpack.process import run

OWNER = Owner("ab12cd34", "host", "1", 7, 1.0)
BUILD = {"context": "/p", "dockerfile": "Dockerfile"}
CONFIG: dict[str, Any] = {
    "services": {
        "web": {"image": "hand:prod", "build": BUILD, "ports": [{"target": 8000, "published": "8000"}]},
        "worker": {"image": "hand:prod", "container_name": "fixed"},
        "queue": {"image": "redis:7"},
    },
    "networks": {"default": {"name": "hand_default"}, "outer": {"external": True}},
    "volumes": {"data": {"name": "precious"}, "shared": {"external": True}},
}


class _Loader(yaml.SafeLoader):
    """Reads compose's two tags."""


def _override(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> tuple[str, list[Any]]:
    return "override", loader.construct_sequence(node, deep=True)


_Loader.add_constructor("!override", _override)
_Loader.add_constructor("!reset", lambda *_: "reset")


def made(network: BuildNetwork | None = None, reach: frozenset[str] = frozenset()) -> Any:
    """The override of CONFIG, read back."""
    deployment = Deployment(Path("/p"), Path("/p/deploy/prod"), hand.plan(), OWNER, {}, reach=reach)
    return yaml.load(override_file(deployment, CONFIG, network or BuildNetwork({})), _Loader)


def test_everything_carries_the_label() -> None:
    value = made()
    labelled = [*value["services"].values(), value["networks"]["default"], value["volumes"]["data"]]
    assert [thing["labels"] for thing in labelled] == [{LABEL: OWNER.label}] * 5


def test_ports_are_replaced_by_free_ones_on_loopback() -> None:
    ports = made()["services"]["web"]["ports"]
    assert ports == ("override", [{"target": 8000, "host_ip": "127.0.0.1", "published": "0"}])
    assert "ports" not in made()["services"]["queue"]


def test_a_service_that_must_be_reached_is_published() -> None:
    value = override_with_reach()
    assert value["services"]["web"]["ports"][1][0]["target"] == 8000


def override_with_reach() -> Any:
    """CONFIG without published ports, web to be reached."""
    config = {"services": {"web": {"image": "x"}}}
    deployment = Deployment(Path("/p"), Path("/p"), hand.plan(), OWNER, {}, reach=frozenset({"web"}))
    return yaml.load(override_file(deployment, config, BuildNetwork({})), _Loader)


def test_images_that_verify_builds_have_a_tag_of_their_own() -> None:
    services = made()["services"]
    assert services["web"]["image"] == services["worker"]["image"] == "hand:mlpack-verify"
    assert "image" not in services["queue"]


@pytest.mark.parametrize(
    ("image", "own"),
    [
        ("hand", "hand:mlpack-verify"),
        ("reg:5000/team/hand:1.2", "reg:5000/team/hand:mlpack-verify"),
        ("hand@sha256:00", "hand:mlpack-verify"),
    ],
)
def test_a_tag_is_replaced_and_a_registry_kept(image: str, own: str) -> None:
    assert verify_image(image) == own


def test_nobodys_volume_or_container_is_touched() -> None:
    value = made()
    assert value["volumes"] == {"data": {"name": "mlpack-verify-ab12cd34_data", "labels": {LABEL: OWNER.label}}}
    assert set(value["networks"]) == {"default"}
    assert value["services"]["worker"]["container_name"] == "reset"


def test_a_crash_is_seen_not_repeated() -> None:
    assert {service["restart"] for service in made()["services"].values()} == {"no"}


def test_nothing_that_bounds_a_service_is_touched() -> None:
    allowed = {"labels", "restart", "image", "container_name", "ports", "build"}
    assert all(set(service) <= allowed for service in made()["services"].values())


def test_the_build_hears_of_the_network() -> None:
    network = BuildNetwork({"PIP_EXTRA_INDEX_URL": ""}, "/wheels")
    build = made(network)["services"]["web"]["build"]
    assert build == {"args": {"PIP_EXTRA_INDEX_URL": ""}, "additional_contexts": {"wheels": "/wheels"}}


def test_dollars_in_passwords_are_not_expanded() -> None:
    build = made(BuildNetwork({"HTTP_PROXY": "http://me:pa$s@proxy"}, "/w$x"))["services"]["web"]["build"]
    assert build == {"args": {"HTTP_PROXY": "http://me:pa$$s@proxy"}, "additional_contexts": {"wheels": "/w$$x"}}


def test_a_wheelhouse_of_the_project_wins() -> None:
    with_own = {"services": {"web": {"image": "x", "build": {**BUILD, "additional_contexts": {"wheels": "/own"}}}}}
    deployment = Deployment(Path("/p"), Path("/p"), hand.plan(), OWNER, {})
    value = yaml.safe_load(override_file(deployment, with_own, BuildNetwork({}, "/wheels")))
    assert "additional_contexts" not in value["services"]["web"]["build"]


@pytest.mark.engine
def test_compose_merges_it_as_meant(tmp_path: Path) -> None:
    below = {
        "services": {
            "web": {"image": "hand:prod", "build": {"context": "."}, "ports": ["8000:8000"], "mem_limit": "100m"},
            "worker": {"image": "hand:prod", "container_name": "fixed", "volumes": ["data:/data"]},
        },
        "volumes": {"data": {"name": "precious"}},
    }
    base, above = tmp_path / "compose.yaml", tmp_path / "verify.yaml"
    base.write_text(json.dumps(below), encoding="utf-8")

    def config(*files: Path) -> Any:
        words = [word for file in files for word in ("--file", str(file))]
        done = run(("docker", "compose", "--project-name", OWNER.project, *words, "config", "--format", "json"))
        return json.loads(done.stdout)

    deployment = Deployment(tmp_path, tmp_path, hand.plan(), OWNER, os.environ)
    above.write_text(override_file(deployment, config(base), BuildNetwork({"A": "$x"}, "/w")), encoding="utf-8")
    value = config(base, above)
    web, worker = value["services"]["web"], value["services"]["worker"]
    assert [(port["published"], port["host_ip"]) for port in web["ports"]] == [("0", "127.0.0.1")]
    assert web["mem_limit"] == str(100 * 1024**2)
    assert web["build"]["args"]["A"] in ("$x", "$$x")  # newer Compose escapes what it prints
    assert web["build"]["additional_contexts"] == {"wheels": "/w"}
    assert web["labels"][LABEL] == OWNER.label
    assert "container_name" not in worker
    assert value["volumes"]["data"]["name"] == f"{OWNER.project}_data"
