"""Offline exactly where every model is a file."""

from __future__ import annotations

from mlpack.runtimes.hub import hub_environment
from mlpack.spec import Model


def test_files_need_no_hub() -> None:
    assert hub_environment((Model(path="a"), Model(path="b")))["HF_HUB_OFFLINE"].value == "1"


def test_a_model_of_a_hub_may_be_fetched() -> None:
    assert hub_environment((Model(path="a"), Model(hub="x/y"))) == {}


def test_nothing_without_models() -> None:
    assert hub_environment(()) == {}
