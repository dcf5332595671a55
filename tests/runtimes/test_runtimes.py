"""Each runtime: facts that agree with the measured table, variables for threads, and sizes that follow the physics."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import get_args

import pytest

from mlpack.errors import SpecError
from mlpack.footprint import Region
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.runtimes import RUNTIMES, llama_cpp, runtime_of
from mlpack.runtimes.activations import of_request, positions
from mlpack.runtimes.base import Sized
from mlpack.spec import LoadDtype, MaxInput, Model, RuntimeName
from mlpack.units import MIB

BERT = Architecture(
    family="encoder", name="BertModel", hidden_size=768, intermediate_size=3072, vocabulary=30522, context_tokens=512
)
SMOLLM2 = Architecture(
    family="decoder",
    name="llama",
    hidden_size=576,
    intermediate_size=1536,
    layers=30,
    heads=9,
    kv_heads=3,
    head_dim=64,
    vocabulary=49152,
    context_tokens=8192,
)


def info(
    format_: str,
    size: int = 400 * MIB,
    *,
    dtype: str | None = "F32",
    architecture: Architecture | None = None,
    mappable: bool = False,
    compressed: bool = False,
    parts: int = 1,
    unknown: tuple[str, ...] = (),
) -> ModelInfo:
    each = tuple(ModelFile(path=f"m{part}", size_bytes=size // parts, header_sha256="0") for part in range(parts))
    width = {"F32": 4, "F16": 2}
    shares = (DtypeShare(dtype=dtype, parameters=size // width[dtype], bytes=size),) if dtype else ()
    return ModelInfo(
        format=format_,
        files=each,
        dtypes=shares,
        mappable=mappable,
        compressed=compressed,
        architecture=architecture,
        unknown=unknown,
    )


def total(sized: Sized, kind: str, **having: str) -> int:
    return sum(r.bytes for r in sized.regions if r.kind == kind and all(getattr(r, k) == v for k, v in having.items()))


def find(sized: Sized, name: str) -> Region:
    return next(region for region in sized.regions if region.name == name)


@pytest.mark.parametrize("name", RUNTIMES)
def test_facts_are_those_of_the_measured_table(name: RuntimeName) -> None:
    row = json.loads(files("mlpack.runtimes").joinpath("measured.json").read_text())[name]
    facts = RUNTIMES[name].FACTS
    assert facts.name == name
    assert facts.import_anonymous_bytes == row["anonymous_mib"] * MIB
    assert facts.import_mapped_lower_bytes <= facts.import_mapped_bytes
    assert row["source"] in facts.source
    assert row["versions"] in facts.source


def test_every_runtime_of_the_spec_is_there() -> None:
    assert set(RUNTIMES) == set(get_args(RuntimeName))


def test_tensorflow_and_llama_cpp_never_fork_after_load() -> None:
    unsafe = {name for name, runtime in RUNTIMES.items() if runtime.FACTS.fork_safe == "no"}
    assert unsafe == {"tensorflow", "llama_cpp"}
    assert not [name for name, runtime in RUNTIMES.items() if runtime.FACTS.fork_safe == "yes"]


OPENMP = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
THREADS: list[tuple[RuntimeName, set[str]]] = [
    ("torch", OPENMP),
    ("transformers", OPENMP),
    ("sklearn", OPENMP | {"LOKY_MAX_CPU_COUNT"}),
    ("lightgbm", OPENMP),
    ("xgboost", OPENMP),
    ("tensorflow", {"TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}),
    ("onnxruntime", {"ORT_INTRA_OP_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}),
    ("llama_cpp", set()),
]


@pytest.mark.parametrize(("name", "variables"), THREADS)
def test_all_thread_variables_say_the_planned_number(name: RuntimeName, variables: set[str]) -> None:
    environment = RUNTIMES[name].environment(3, shared_cores=False)
    assert {variable for variable, value in environment.items() if value.value == "3"} == variables
    assert "OMP_WAIT_POLICY" not in environment


@pytest.mark.parametrize("name", ["torch", "transformers", "sklearn", "lightgbm", "xgboost"])
def test_waiting_threads_sleep_where_cores_are_shared(name: RuntimeName) -> None:
    assert RUNTIMES[name].environment(2, shared_cores=True)["OMP_WAIT_POLICY"].value == "PASSIVE"


@pytest.mark.parametrize("name", ["torch", "transformers", "sklearn", "lightgbm", "xgboost"])
def test_a_team_of_one_never_waits_and_is_not_told_how(name: RuntimeName) -> None:
    assert "OMP_WAIT_POLICY" not in RUNTIMES[name].environment(1, shared_cores=True)


@pytest.mark.parametrize("name", ["tensorflow", "onnxruntime", "llama_cpp"])
def test_a_runtime_without_openmp_is_not_told_how_to_wait(name: RuntimeName) -> None:
    assert "OMP_WAIT_POLICY" not in RUNTIMES[name].environment(2, shared_cores=True)


def test_the_tokenizer_does_not_thread() -> None:
    assert RUNTIMES["transformers"].environment(2, shared_cores=False)["TOKENIZERS_PARALLELISM"].value == "false"


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_region_has_a_lower_bound_and_a_reason(name: RuntimeName) -> None:
    runtime = RUNTIMES[name]
    for given in (info(runtime.FACTS.formats[0]), info(runtime.FACTS.formats[0], dtype=None, compressed=True)):
        sized = runtime.size("m", Model(path="m"), given)
        assert sized.regions
        assert sized.load_s > 0
        assert sized.request_s > 0
        for region in sized.regions:
            assert 0 <= region.lower_bytes <= region.bytes
            assert region.because
            assert region.name.startswith("m ")


def test_transformers_maps_what_torch_copies() -> None:
    given = info("transformers", architecture=BERT, mappable=True)
    mapped = RUNTIMES["transformers"].size("m", Model(path="m"), given)
    copied = RUNTIMES["torch"].size("m", Model(path="m"), given)
    assert total(mapped, "mapped") == 400 * MIB
    assert total(mapped, "anonymous", stage="load") < 20 * MIB
    assert total(copied, "anonymous", stage="load", per="process") >= 400 * MIB
    assert find(copied, "m load peak").bytes == 400 * MIB


def test_a_cast_breaks_the_mapping_and_doubles() -> None:
    given = info("transformers", 200 * MIB, dtype="F16", architecture=BERT, mappable=True)
    sized = RUNTIMES["transformers"].size("m", Model(path="m"), given)
    assert find(sized, "m cast weights").bytes == 400 * MIB
    assert any("stored in 16 bits" in reason for reason in sized.widened)


def test_a_stated_dtype_is_planned_beside_the_stored_one() -> None:
    """32-bit weights whose config.json says float16: copies of half the size (measured), or a mapping of the whole."""
    given = info("transformers", 400 * MIB, architecture=BERT, mappable=True)
    stated = given.model_copy(update={"load_dtype": "fp16"})
    plain = RUNTIMES["transformers"].size("m", Model(path="m"), given)
    sized = RUNTIMES["transformers"].size("m", Model(path="m"), stated)
    assert find(sized, "m cast weights").bytes == 200 * MIB
    assert find(sized, "m weights").bytes + find(sized, "m cast weights").bytes == find(plain, "m weights").bytes
    assert any("config.json of m says fp16" in reason for reason in sized.widened)
    assert not any("config.json" in reason for reason in plain.widened)


@pytest.mark.parametrize(
    ("stored", "said", "copied", "mapped"),
    [("F32", "fp16", 200, 0), ("F32", "fp32", 0, 400), ("F16", "fp16", 0, 400), ("F16", "fp32", 800, 0)],
)
def test_a_dtype_that_the_spec_says_is_no_question(stored: str, said: LoadDtype, copied: int, mapped: int) -> None:
    given = info("transformers", 400 * MIB, dtype=stored, architecture=BERT, mappable=True)
    sized = RUNTIMES["transformers"].size("m", Model(path="m", dtype=said), given)
    assert total(sized, "mapped") == mapped * MIB
    cast = [region for region in sized.regions if region.name == "m cast weights"]
    assert [(region.bytes, region.lower_bytes) for region in cast] == [(copied * MIB, copied * MIB)] * bool(copied)
    assert not any("16 bits" in reason or "config.json" in reason for reason in sized.widened)


def test_packed_weights_are_planned_as_copied_and_said() -> None:
    given = info("transformers", 400 * MIB, architecture=BERT, mappable=True).model_copy(
        update={"packing": "gptq, 4 bits"}
    )
    sized = RUNTIMES["transformers"].size("m", Model(path="m"), given)
    assert find(sized, "m cast weights").bytes == 400 * MIB
    assert any("packed (gptq, 4 bits)" in reason for reason in sized.widened)


def test_the_loader_of_plain_safetensors_is_unknown() -> None:
    sized = RUNTIMES["torch"].size("m", Model(path="m"), info("safetensors", mappable=True))
    weights = find(sized, "m weights")
    assert weights.kind == "anonymous"
    assert weights.lower_bytes == 0
    assert find(sized, "m file").lower_bytes == 400 * MIB
    assert any("the loader of m is unknown" in reason for reason in sized.widened)


def test_the_key_value_cache_is_exact() -> None:
    given = info("gguf", 98 * MIB, dtype=None, architecture=SMOLLM2, mappable=True)
    for tokens in (2048, 8192):
        sized = RUNTIMES["llama_cpp"].size("m", Model(path="m", max_input=MaxInput(tokens=tokens)), given)
        cache = find(sized, "m KV cache")
        assert cache.bytes == cache.lower_bytes == 23_040 * tokens
        assert cache.per == "request"


GEMMA3 = Architecture(
    family="decoder", name="gemma3", layers=26, heads=4, kv_heads=1, head_dim=256, sliding_window=512, sliding_layers=22
)


def test_a_windowed_cache_is_as_large_as_the_program_keeps_it() -> None:
    """As a library llama.cpp keeps all tokens in every layer, its own server the window: 832 MiB and 150 at 32,768."""
    given = info("gguf", dtype=None, architecture=GEMMA3, mappable=True)
    model = Model(path="m", max_input=MaxInput(tokens=32768))
    app = RUNTIMES["llama_cpp"].size("m", model, given)
    server = llama_cpp.size("m", model, given, windows=True)
    kept = find(app, "m KV cache")
    assert (kept.bytes, kept.lower_bytes) == (832 * MIB, 150 * MIB)
    assert any("look back 512 tokens" in reason for reason in app.widened)
    assert find(server, "m KV cache").bytes == find(server, "m KV cache").lower_bytes == 150 * MIB
    assert not any("look back" in reason for reason in server.widened)


def test_a_cache_in_another_dtype_is_planned_in_it() -> None:
    given = info("gguf", dtype=None, architecture=SMOLLM2, mappable=True)
    model = Model(path="m", max_input=MaxInput(tokens=2048), cache_dtype="q8_0")
    assert find(RUNTIMES["llama_cpp"].size("m", model, given), "m KV cache").bytes == 2048 * 23_040 * 34 // 64


def test_a_decoder_keeps_the_cache_that_transformers_keeps() -> None:
    """One compressed vector of 576 values in fp32 for each of 27 layers, not 2 x 16 heads x 128."""
    latent = Architecture(
        family="decoder", name="deepseek", hidden_size=2048, layers=27, heads=16, head_dim=128, latent_dim=576
    )
    plain = latent.model_copy(update={"latent_dim": None})
    model = Model(path="m", max_input=MaxInput(tokens=100))
    small, whole = (of_request("m", model, info("transformers", architecture=one)).bytes for one in (latent, plain))
    assert whole - small == 100 * 27 * 4 * (2 * 16 * 128 - 576)


def test_a_cache_that_may_be_smaller_has_no_lower_bound() -> None:
    given = info("gguf", dtype=None, architecture=SMOLLM2, unknown=("key/value cache (not every layer keeps all)",))
    sized = RUNTIMES["llama_cpp"].size("m", Model(path="m", max_input=MaxInput(tokens=64)), given)
    assert find(sized, "m KV cache").lower_bytes == 0


def test_a_gguf_without_a_context_length_is_planned_for_the_models_own() -> None:
    sized = RUNTIMES["llama_cpp"].size("m", Model(path="m"), info("gguf", dtype=None, architecture=SMOLLM2))
    assert find(sized, "m KV cache").bytes == 23_040 * 8192
    assert any("models.m.max_input.tokens is not set" in reason for reason in sized.widened)


def test_compressed_files_are_planned_larger_and_said() -> None:
    plain = RUNTIMES["sklearn"].size("m", Model(path="m"), info("joblib", dtype=None))
    packed = RUNTIMES["sklearn"].size("m", Model(path="m"), info("joblib", dtype=None, compressed=True))
    assert total(packed, "anonymous") > 5 * total(plain, "anonymous") - 200 * MIB
    assert any("compressed" in reason for reason in packed.widened)
    assert not any("compressed" in reason for reason in plain.widened)


def test_a_compressed_keras_archive_is_planned_by_what_is_inside() -> None:
    plain = RUNTIMES["tensorflow"].size("m", Model(path="m"), info("keras", 100 * MIB, dtype=None))
    packed = info("keras", 40 * MIB, dtype=None, compressed=True).model_copy(update={"unpacked_bytes": 100 * MIB})
    sized = RUNTIMES["tensorflow"].size("m", Model(path="m"), packed)
    assert find(sized, "m weights").bytes == find(plain, "m weights").bytes
    assert any("m is compressed: all 100" in reason for reason in sized.widened)
    assert not any("compressed" in reason for reason in plain.widened)


def test_onnx_with_external_data_needs_less() -> None:
    inside = RUNTIMES["onnxruntime"].size("m", Model(path="m"), info("onnx", dtype=None))
    beside = RUNTIMES["onnxruntime"].size("m", Model(path="m"), info("onnx", dtype=None, parts=2))
    assert find(beside, "m weights").bytes < find(inside, "m weights").bytes


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((3, 224, 224), 50_176),
        ((224, 224, 3), 50_176),
        ((512, 512), 262_144),
        ((1, 64, 64, 64), 262_144),
        ((1024,), 1024),
    ],
)
def test_positions_leave_channels_out(shape: tuple[int, ...], count: int) -> None:
    assert positions(shape) == count


def test_activations_grow_with_tokens_and_batch() -> None:
    given = info("transformers", architecture=BERT)
    one = of_request("m", Model(path="m", max_input=MaxInput(tokens=128)), given)
    eight = of_request("m", Model(path="m", max_input=MaxInput(tokens=128, batch=8)), given)
    assert one.bytes == 128 * 80 * 1024
    assert eight.bytes == 8 * one.bytes
    assert one.widened == ()


def test_decoders_hold_logits_too() -> None:
    encoder = SMOLLM2.model_copy(update={"family": "encoder"})
    wanted = Model(path="m", max_input=MaxInput(tokens=100))
    more = of_request("m", wanted, info("transformers", architecture=SMOLLM2))
    less = of_request("m", wanted, info("transformers", architecture=encoder))
    assert more.bytes - less.bytes == 100 * (49152 * 4 + 2 * 23_040)


def test_an_unbounded_input_is_said() -> None:
    found = of_request("m", Model(path="m"), info("pytorch", dtype=None))
    assert any("the input of m is unbounded" in reason for reason in found.widened)


RUNTIME_CASES: list[tuple[str, tuple[str, ...] | None, str]] = [
    ("gguf", None, "llama_cpp"),
    ("onnx", None, "onnxruntime"),
    ("keras", ("tensorflow-cpu==2.21",), "tensorflow"),
    ("transformers", None, "transformers"),
    ("transformers", ("transformers==5.0", "torch"), "transformers"),
    ("transformers", ("torch==2.13.0",), "torch"),
    ("safetensors", ("torch==2.13.0",), "torch"),
    ("pytorch", None, "torch"),
    ("joblib", None, "sklearn"),
    ("lightgbm", ("numpy",), "lightgbm"),
]


@pytest.mark.parametrize(("format_", "requirements", "expected"), RUNTIME_CASES)
def test_the_runtime_follows_from_format_and_requirements(
    format_: str, requirements: tuple[str, ...] | None, expected: str
) -> None:
    assert runtime_of("m", Model(path="m"), info(format_, dtype=None), requirements) == expected


def test_an_ambiguous_runtime_names_candidates_and_key() -> None:
    with pytest.raises(SpecError) as caught:
        runtime_of("clip", Model(path="m"), info("safetensors"), ("transformers", "torch"))
    assert caught.value.where == "models.clip.runtime"
    assert "torch or transformers" in str(caught.value)
    assert runtime_of("clip", Model(path="m", runtime="torch"), info("safetensors"), ("transformers",)) == "torch"


def test_a_format_that_no_runtime_serves() -> None:
    with pytest.raises(SpecError, match="no runtime is known for a coreml model"):
        runtime_of("m", Model(path="m"), info("coreml"))


def test_xgboost_as_text_needs_four_times_the_binary_and_says_so() -> None:
    def of(path: str) -> Sized:
        file = ModelFile(path=path, size_bytes=20 * MIB, header_sha256="0")
        return RUNTIMES["xgboost"].size("m", Model(path=path), ModelInfo(format="xgboost", files=(file,)))

    text, binary = of("weights/m.json"), of("weights/m.ubj")
    assert find(text, "m weights").bytes > 4 * find(binary, "m weights").bytes - 16 * MIB
    assert any(".ubj" in reason for reason in text.widened)
    assert not any(".ubj" in reason for reason in binary.widened)


@pytest.mark.parametrize(("name", "format_"), [("sklearn", "joblib"), ("lightgbm", "lightgbm"), ("xgboost", "xgboost")])
def test_rows_of_known_size_bound_a_request_to_trees(name: RuntimeName, format_: str) -> None:
    bounded = Model(path="m", max_input=MaxInput(shape=(30,), batch=1000))
    known = RUNTIMES[name].size("m", bounded, info(format_, dtype=None))
    open_ = RUNTIMES[name].size("m", Model(path="m"), info(format_, dtype=None))
    assert 30_000 * 8 < find(known, "m activations").bytes < 4 * MIB < find(open_, "m activations").bytes
    assert any("max_input" in reason for reason in open_.widened)
    assert not any("max_input" in reason for reason in known.widened)


def test_convolutions_under_onnx_runtime_need_more_than_matrices() -> None:
    nets = [Architecture(family="convolutional", name="net"), None]
    convolved, plain = (RUNTIMES["onnxruntime"].size("m", Model(path="m"), info("onnx", architecture=a)) for a in nets)
    assert find(convolved, "m weights").bytes > 1.5 * find(plain, "m weights").bytes > 1.5 * 400 * MIB


def test_a_saved_signature_is_a_graph_and_not_called_eagerly() -> None:
    image = Model(path="m", max_input=MaxInput(shape=(224, 224, 3)))
    keras, saved = (RUNTIMES["tensorflow"].size("m", image, info(name)) for name in ("keras", "savedmodel"))
    assert find(keras, "m activations").bytes > 2 * find(saved, "m activations").bytes > 0
    assert any("model(x)" in reason for reason in keras.widened)
    assert not any("model(x)" in reason for reason in saved.widened)


def test_a_net_whose_layers_are_known_is_planned_by_them() -> None:
    """Alive at once under a graph; all of them together where the app may call the model eagerly."""
    image = Model(path="m", max_input=MaxInput(shape=(100, 100, 3), batch=2))
    net = Architecture(family="convolutional", name="net", position_bytes=300, kept_position_bytes=3000)
    keras, saved = (
        RUNTIMES["tensorflow"].size("m", image, info(name, architecture=net)) for name in ("keras", "savedmodel")
    )
    assert find(saved, "m activations").bytes == round(2.2 * 300 * 20_000)
    assert find(keras, "m activations").bytes == round(1.12 * 3000 * 20_000)
    assert not any("U-Net" in reason for sized in (keras, saved) for reason in sized.widened)
    assert any("model(x)" in reason for reason in keras.widened)
    told = info("keras", architecture=net.model_copy(update={"kept_position_bytes": None}))
    assert any("U-Net" in reason for reason in RUNTIMES["tensorflow"].size("m", image, told).widened)
