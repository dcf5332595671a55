"""A transformers folder ties configuration and weights together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.formats.build import DATA, safetensors_bytes, safetensors_header, torch_bytes

from mlpack.errors import ModelFileError
from mlpack.formats import inspect
from mlpack.formats.config_json import architecture_of

WEIGHTS = safetensors_bytes(safetensors_header({"a": ("F16", (3, 5))}))


def folder(tmp_path: Path, config: dict[str, Any] | bytes, **files: bytes) -> Path:
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    (tmp_path / "config.json").write_bytes(text)
    for name, content in files.items():
        (tmp_path / name.replace("__", ".")).write_bytes(content)
    return tmp_path


def test_configuration_and_weights(tmp_path: Path) -> None:
    config = (DATA / "all-minilm-l6-v2.config.json").read_bytes()
    info = inspect(folder(tmp_path, config, model__safetensors=WEIGHTS))
    assert info.format == "transformers"
    assert info.mappable
    assert info.parameters == 15
    assert {file.path for file in info.files} == {"config.json", "model.safetensors"}
    found = info.architecture
    assert found is not None
    assert (found.family, found.name, found.hidden_size, found.intermediate_size) == ("encoder", "BertModel", 384, 1536)
    assert (found.layers, found.heads, found.head_dim, found.vocabulary) == (6, 12, 32, 30522)
    assert found.context_tokens == 512


def test_older_weights_are_sized_only(tmp_path: Path) -> None:
    info = inspect(folder(tmp_path, {"model_type": "bert"}, pytorch_model__bin=torch_bytes()))
    assert info.parameters is None
    assert info.weights_bytes > 0
    assert any("parameters and dtypes" in reason for reason in info.unknown)


def test_a_stated_dtype_that_differs_is_said(tmp_path: Path) -> None:
    config = {"model_type": "bert", "torch_dtype": "float32"}
    info = inspect(folder(tmp_path, config, model__safetensors=WEIGHTS))
    assert info.unknown == ("the load dtype (config.json says float32, the weights are stored as F16)",)
    assert info.load_dtype == "fp32"


def packed(bits: object) -> dict[str, Any]:
    stated = {"quant_method": "gptq"} if bits is None else {"quant_method": "gptq", "bits": bits}
    return {"model_type": "llama", "torch_dtype": "float16", "quantization_config": stated}


@pytest.mark.parametrize(("bits", "said"), [(4, "gptq, 4 bits"), (None, "gptq"), (8, None), ("four", "gptq")])
def test_packed_weights_are_no_count_of_parameters(tmp_path: Path, bits: object, said: str | None) -> None:
    """4-bit weights lie eight to a stored I32; the scales beside them are 16-bit floats, as config.json says."""
    weights = safetensors_bytes(safetensors_header({"w.qweight": ("I32", (4, 8)), "w.scales": ("F16", (1, 8))}))
    info = inspect(folder(tmp_path, packed(bits), model__safetensors=weights))
    assert info.packing == said
    assert info.load_dtype is None
    assert any("the number of parameters" in reason for reason in info.unknown) == (said is not None)


def test_floats_are_not_packed_whatever_the_configuration_says(tmp_path: Path) -> None:
    info = inspect(folder(tmp_path, packed(4), model__safetensors=WEIGHTS))
    assert info.packing is None


def test_no_weights_beside_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"has a config.json but no weights: none of model.safetensors"):
        inspect(folder(tmp_path, {"model_type": "bert"}))


def test_a_damaged_configuration(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"config.json is not valid JSON"):
        inspect(folder(tmp_path, b'{"model_type": ', model__safetensors=WEIGHTS))


FAMILIES: list[tuple[dict[str, Any], str]] = [
    ({"architectures": ["BertModel"], "hidden_size": 8}, "encoder"),
    ({"architectures": ["LlamaForCausalLM"], "hidden_size": 8}, "decoder"),
    ({"architectures": ["GPT2LMHeadModel"], "n_embd": 8}, "decoder"),
    ({"model_type": "qwen2", "hidden_size": 8}, "decoder"),
    ({"architectures": ["BartForSequenceClassification"], "is_encoder_decoder": True, "d_model": 8}, "encoder-decoder"),
    ({"architectures": ["T5EncoderModel"], "is_encoder_decoder": True, "d_model": 8}, "encoder"),
    ({"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}, "convolutional"),
    ({"architectures": ["SomethingElse"]}, "other"),
]


@pytest.mark.parametrize(("config", "family"), FAMILIES)
def test_families(config: dict[str, Any], family: str) -> None:
    found = architecture_of(config)
    assert found is not None
    assert found.family == family


def test_bart_large_takes_the_decoders_layers() -> None:
    config = {
        "architectures": ["BartForSequenceClassification"],
        "is_encoder_decoder": True,
        "d_model": 1024,
        "encoder_layers": 12,
        "decoder_layers": 10,
        "encoder_ffn_dim": 4096,
        "encoder_attention_heads": 16,
        "max_position_embeddings": 1024,
    }
    found = architecture_of(config)
    assert found is not None
    assert (found.layers, found.head_dim, found.intermediate_size) == (10, 64, 4096)


def test_an_image_models_context_is_its_patches() -> None:
    found = architecture_of({"model_type": "vit", "hidden_size": 768, "image_size": 224, "patch_size": 16})
    assert found is not None
    assert found.context_tokens == 197


def test_the_widest_part_of_a_model_of_two() -> None:
    config = {"model_type": "clip", "text_config": {"hidden_size": 512}, "vision_config": {"hidden_size": 768}}
    found = architecture_of(config)
    assert found is not None
    assert found.hidden_size == 768


@pytest.mark.parametrize("value", [0, -1, True, "768", 1e3, 10**30, None, [768]])
def test_nonsense_sizes_are_not_taken(value: object) -> None:
    found = architecture_of({"model_type": "bert", "hidden_size": value})
    assert found is not None
    assert found.hidden_size is None


def test_no_configuration_of_a_model() -> None:
    assert architecture_of({"name": "a web app's config"}) is None
