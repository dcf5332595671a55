"""The footprint of each kind of service, and how models, runtimes and servers combine."""

from __future__ import annotations

import pytest

from mlpack.errors import SpecError
from mlpack.estimate import estimate, estimate_path, model_row, region_rows
from mlpack.footprint import Footprint
from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.measured import measured
from mlpack.servers import SERVERS
from mlpack.spec import CacheDtype, Model, ServerName, Service, Spec
from mlpack.units import MIB


def info(format_: str, dtype: str | None = "F32", family: str | None = None) -> ModelInfo:
    shares = (DtypeShare(dtype=dtype, parameters=25 * MIB, bytes=100 * MIB),) if dtype else ()
    architecture = Architecture.model_validate({"family": family, "name": "x"}) if family else None
    return ModelInfo(
        format=format_,
        files=(ModelFile(path="m", size_bytes=100 * MIB, header_sha256=""),),
        dtypes=shares,
        mappable=True,
        architecture=architecture,
    )


INFOS = {
    "bert": info("transformers", family="encoder"),
    "trees": info("lightgbm", None),
    "forest": info("joblib", None),
    "llm": info("gguf", "Q4_0"),
    "net": info("pytorch", None),
}


def service(
    server: ServerName, *models: str, requirements: tuple[str, ...] = (), cache: CacheDtype | None = None
) -> Footprint:
    spec = Spec(
        name="x",
        models={name: Model(path=name, cache_dtype=cache) for name in INFOS},
        services={"one": Service(server=server, app="a:b", models=models)},
    )
    return estimate(spec, INFOS, {"one": requirements} if requirements else None)["one"]


@pytest.mark.parametrize("server", SERVERS)
def test_every_server_has_a_footprint_with_kernel_memory(server: ServerName) -> None:
    found = service(server)
    assert found.source == "estimated"
    assert found.sum_bytes("kernel", "import") == 2.5 * MIB
    assert found.sum_bytes("anonymous", "import") >= SERVERS[server].FACTS.anonymous_bytes
    assert found.load_s > 0
    assert found.request_s > 0
    assert found.widened == ()


def test_a_web_service_without_models_holds_interpreter_server_and_app() -> None:
    names = {region.name for region in service("uvicorn").regions if region.kind == "anonymous"}
    assert names == {"interpreter and libraries", "uvicorn", "app"}
    assert 50 * MIB < service("uvicorn").sum_bytes("anonymous", "import") < 80 * MIB


def test_a_program_without_an_app_is_its_own_numbers() -> None:
    found = service("redis")
    assert found.sum_bytes("anonymous", "import", "load", "serve") == SERVERS["redis"].FACTS.anonymous_bytes


def test_two_runtimes_are_counted_beyond_one_bare_interpreter() -> None:
    both = service("gunicorn", "bert", "trees")
    bare = measured().bare_python.anonymous_bytes
    expected = sum(RUNTIMES[name].FACTS.import_anonymous_bytes for name in ("transformers", "lightgbm")) - bare
    imported = next(region for region in both.regions if region.name == "interpreter and libraries")
    assert imported.bytes == expected
    assert imported.lower_bytes < RUNTIMES["transformers"].FACTS.import_anonymous_bytes


def test_transformers_brings_its_torch() -> None:
    one, both = service("gunicorn", "bert"), service("gunicorn", "bert", "net")
    assert one.sum_bytes("anonymous", "import") == both.sum_bytes("anonymous", "import")


def test_every_model_has_regions_of_its_own() -> None:
    names = {region.name for region in service("gunicorn", "bert", "trees").regions}
    assert {"bert weights", "trees weights"} <= names
    assert len(names) == len(service("gunicorn", "bert", "trees").regions)


def test_actors_each_have_an_interpreter() -> None:
    together = service("ray", "bert", "trees")
    names = {region.name for region in together.regions}
    assert {"bert interpreter and libraries", "trees interpreter and libraries"} <= names
    assert together.sum_bytes("kernel", "import") == 5 * MIB


def test_ollama_holds_weights_as_private_memory() -> None:
    mapped, private = service("llama_server", "llm"), service("ollama", "llm")
    assert mapped.sum_bytes("mapped", "load") == 100 * MIB
    assert private.sum_bytes("mapped", "load") == 0
    assert private.sum_bytes("anonymous", "load") > 100 * MIB
    assert any("Ollama turns mapping off" in reason for reason in private.widened)


def test_ollama_with_a_cache_dtype_runs_flash_attention() -> None:
    """Its variable for the cache's type comes with OLLAMA_FLASH_ATTENTION=1, which keeps no scores."""
    caches: tuple[CacheDtype | None, ...] = (None, "q8_0")
    whole, small = (service("ollama", "llm", cache=cache) for cache in caches)
    sizes = [{region.name: region.bytes for region in one.regions} for one in (whole, small)]
    assert "llm attention scores" in sizes[0]
    assert "llm attention scores" not in sizes[1]


def test_an_older_transformers_copies_its_weights() -> None:
    found = service("gunicorn", "bert", requirements=("transformers==4.46", "torch"))
    weights = next(region for region in found.regions if region.name == "bert weights")
    assert weights.kind == "anonymous"
    assert any("transformers 4 is pinned" in reason for reason in found.widened)


def test_installed_runtimes_without_models_are_said() -> None:
    found = service("uvicorn", requirements=("torch", "fastapi"))
    assert any("torch in the requirements of one is not counted" in reason for reason in found.widened)


def test_a_model_that_nothing_is_known_of() -> None:
    spec = Spec(name="x", models={"m": Model(hub="a/b")}, services={"web": Service(server="gunicorn", models=("m",))})
    with pytest.raises(SpecError, match="nothing is known of model 'm'"):
        estimate(spec, {})


def test_a_path_without_a_spec() -> None:
    found = estimate_path(INFOS["bert"])
    assert found.runtime == "transformers"
    assert found.footprint is not None
    assert {region.name for region in found.footprint.regions} >= {
        "model weights",
        "interpreter and libraries",
        "kernel",
    }
    assert not {"app", "gunicorn"} & {region.name for region in found.footprint.regions}


def test_a_path_with_two_possible_runtimes_says_so() -> None:
    found = estimate_path(info("safetensors"))
    assert found.footprint is not None
    assert any("may serve it as well" in reason for reason in found.footprint.widened)
    assert estimate_path(info("safetensors"), runtime="transformers").runtime == "transformers"


def test_a_path_that_no_runtime_serves() -> None:
    assert estimate_path(info("coreml")).footprint is None


def test_rows_for_the_console() -> None:
    row = model_row(INFOS["bert"])
    assert (row.parameters, row.dtypes) == (25 * MIB, (("F32", 25 * MIB, 100 * MIB),))
    rows = region_rows(service("gunicorn", "bert"))
    assert [row.stage for row in rows] == sorted((row.stage for row in rows), key=["import", "load", "serve"].index)
    assert all(row.because and row.source for row in rows)


def test_a_torch_model_beside_transformers_imports_both() -> None:
    alone = service("gunicorn", "net", requirements=("torch",))
    beside = service("gunicorn", "net", requirements=("torch", "transformers"))
    more = RUNTIMES["transformers"].FACTS.import_anonymous_bytes - RUNTIMES["torch"].FACTS.import_anonymous_bytes
    assert beside.sum_bytes("anonymous", "import") - alone.sum_bytes("anonymous", "import") == more
