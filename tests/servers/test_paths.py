"""Folder and project names made of the chosen profiles."""

from __future__ import annotations

import re

import pytest

from mlpack.servers.paths import deploy_folder, profile_words


@pytest.mark.parametrize(
    ("profiles", "words"),
    [
        ((), "default"),
        (("prod",), "prod"),
        (("prod", "hybrid"), "prod-hybrid"),
        (("prod", "hosts/edge.yaml"), "prod-hosts-edge"),
        (("./Box 1.yml",), "box-1"),
        (("/home/somebody/shop/edge.yaml",), "edge"),
        (("...yaml",), "default"),
    ],
)
def test_names_that_engines_take(profiles: tuple[str, ...], words: str) -> None:
    assert profile_words(profiles) == words
    assert deploy_folder(profiles) == f"deploy/{words}"
    assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", words)
