"""Weights on a card where config.json and the file say different dtypes: the wider one is planned, and said."""

from __future__ import annotations

import pytest

from mlpack.estimate.gpu_weights import weights_on_card
from mlpack.model import DtypeShare, ModelInfo
from mlpack.spec import LoadDtype, Model

PARAMETERS = 1000
WIDTH = {"F32": 4, "F16": 2}


def info(stored: str, stated: LoadDtype | None) -> ModelInfo:
    share = DtypeShare(dtype=stored, parameters=PARAMETERS, bytes=PARAMETERS * WIDTH[stored])
    return ModelInfo(format="transformers", files=(), dtypes=(share,), load_dtype=stated)


@pytest.mark.parametrize(
    ("stored", "stated", "bytes_", "least"),
    [
        ("F32", "fp16", 4000, 2000),  # transformers 5 casts to what the config says, an app may say otherwise
        ("F16", "fp32", 4000, 2000),
        ("F16", None, 2000, 2000),
        ("F32", None, 4000, 4000),
    ],
)
def test_the_wider_of_stored_and_stated(stored: str, stated: LoadDtype | None, bytes_: int, least: int) -> None:
    found = weights_on_card("m", Model(path="m"), info(stored, stated), "transformers", 5)
    assert (found.bytes, found.lower_bytes) == (bytes_, least)
    assert any("config.json of m says" in reason for reason in found.widened) == (stated is not None)


def test_what_the_spec_says_is_no_question() -> None:
    found = weights_on_card("m", Model(path="m", dtype="fp16"), info("F32", "fp16"), "transformers", 5)
    assert (found.bytes, found.lower_bytes, found.widened) == (2000, 2000, ())


def test_transformers_4_makes_modules_in_fp32_whatever_the_config_says() -> None:
    found = weights_on_card("m", Model(path="m"), info("F16", "fp32"), "transformers", 4)
    assert (found.bytes, found.dtype) == (4000, "fp32")
