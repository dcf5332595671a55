"""What the merged compose configuration says: restart policies, platforms, folders that are written."""

from __future__ import annotations

from mlpack.launchers.compose_config import platforms, restart_policies, written_folders


def test_restart_policies_in_the_engines_words() -> None:
    services = {
        "said": {"restart": "unless-stopped"},
        "some": {"restart": "on-failure:3"},
        "nothing": {},
        "off": {"restart": "no", "deploy": {"restart_policy": {"condition": "any"}}},
        "swarm": {"deploy": {"restart_policy": {"condition": "any"}}},
        "swarm off": {"deploy": {"restart_policy": {"condition": "none"}}},
    }
    assert restart_policies({"services": services}) == {
        "said": "unless-stopped",
        "some": "on-failure:3",
        "nothing": "no",
        "off": "no",
        "swarm": "always",
        "swarm off": "no",
    }


def test_platforms_and_written_folders() -> None:
    bind = {"type": "bind", "source": "/data", "target": "/data"}
    services = {
        "a": {"platform": "linux/arm64", "volumes": [bind, {**bind, "read_only": True}, {**bind, "type": "volume"}]},
        "b": {"build": {"platforms": ["linux/amd64"]}},
    }
    assert platforms({"services": services}) == ("linux/amd64", "linux/arm64")
    assert written_folders({"services": services}) == ("a writes to /data: what requests store there stays",)
