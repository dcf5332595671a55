"""Services on cards: machines through NVML's real binding, and what is refused with which way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.nvml_standin import build, cards
from tests.planner.build import CELERY, GUNICORN, UVICORN, footprint, region
from tests.planner.gpu_build import card, model, plan_on, with_cards

from mlpack.errors import DoesNotFit, MlpackError, SpecError
from mlpack.host import GpuFacts, GpuSetFacts, MigFacts
from mlpack.plan import Plan
from mlpack.units import GIB, MIB

GPU = {"device": "gpu"}
TORCH_12 = ("torch==2.9.1", "transformers>=5")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the compiled stand-in of NVML."""
    return build(tmp_path_factory.mktemp("nvml"))


def codes(plan: Plan) -> list[str]:
    return [finding.code for finding in plan.findings if finding.code.startswith(("gpu", "cards"))]


def test_one_worker_on_one_card(library: Path) -> None:
    plan = plan_on(with_cards(cards(library, "a10g.txt")), {"web": {**GUNICORN, **GPU}}, requirements=TORCH_12)
    web = plan.services["web"]
    assert (web.device, web.workers.value, web.preload.value) == ("gpu", 1, False)
    assert web.gpu is not None
    assert [one.uuid for one in web.gpu.cards] == ["GPU-6f1c1c1e-0000-4000-8000-00000000a10a"]
    assert web.gpu.seats == (0,)
    (row,) = plan.budget.cards
    assert row.used_bytes == web.gpu.need_bytes.value <= row.usable_bytes < 24146608128
    assert sum(term.total_bytes for term in web.gpu.terms) * 1.05 <= web.gpu.need_bytes.value


def test_gunicorn_takes_every_card_and_every_instance(library: Path) -> None:
    plan = plan_on(with_cards(cards(library, "h100x8.txt")), {"web": {**GUNICORN, **GPU}}, requirements=TORCH_12)
    gpu = plan.services["web"].gpu
    assert gpu is not None
    assert plan.services["web"].workers.value == 9  # seven whole cards, two instances of the eighth
    assert sorted(gpu.seats) == list(range(9))
    assert [one.instance for one in gpu.cards[7:]] == ["3g.40gb", "1g.10gb"]
    assert gpu.cards[8].key == "MIG-00000000-0000-4000-8000-000000000073"


def test_mig_instances_that_are_too_small_are_left_out(library: Path) -> None:
    large = model(5e9)  # 10 GB of weights: instances of 5 and 10 GB are no use
    plan = plan_on(
        with_cards(cards(library, "a100-mig.txt")), {"web": {**GUNICORN, **GPU}}, info=large, requirements=TORCH_12
    )
    gpu = plan.services["web"].gpu
    assert gpu is not None
    assert [one.instance for one in gpu.cards] == ["3g.20gb"]


def test_uvicorn_and_celery_have_a_worker_on_every_card(library: Path) -> None:
    host = with_cards(cards(library, "h100x8.txt"))
    for server in (UVICORN, CELERY):
        plan = plan_on(host, {"web": {**server, "env": {}, **GPU}}, requirements=TORCH_12, info=model(1e8))
        gpu = plan.services["web"].gpu
        assert gpu is not None
        room = {facts.uuid for facts in gpu.cards}
        assert plan.services["web"].workers.value == len(gpu.seats) == len(room) >= 8
        assert "cards-left" not in codes(plan)


def test_one_process_uses_one_card_and_says_so(library: Path) -> None:
    host = with_cards(cards(library, "h100x8.txt"))
    llm = {"llm": {"server": "llama_server", "models": ["m"], "device": "gpu"}}
    for services, runtime, way in (
        ({"web": {**CELERY, "env": {}, "pool": "threads", **GPU}}, "transformers", "pool: prefork"),
        (llm, "llama_cpp", "one service for every card"),
    ):
        info = model(1e9, "Q4_0" if runtime == "llama_cpp" else "BF16")
        plan = plan_on(host, services, runtime=runtime, info=info, requirements=TORCH_12)  # type: ignore[arg-type]
        assert [one.workers.value for one in plan.services.values()] == [1]
        (left,) = [finding for finding in plan.findings if finding.code == "cards-left"]
        assert "one process" in left.message
        assert way in (left.hint or "")


def test_several_workers_on_one_card_where_they_are_asked_for_and_fit(library: Path) -> None:
    host = with_cards(cards(library, "a10g.txt"))
    plan = plan_on(host, {"web": {**GUNICORN, **GPU, "workers": 3}}, requirements=TORCH_12)
    gpu = plan.services["web"].gpu
    assert gpu is not None
    assert gpu.seats == (0, 0, 0)
    with pytest.raises(DoesNotFit, match="do not fit the cards together"):
        plan_on(host, {"web": {**GUNICORN, **GPU, "workers": 12}}, requirements=TORCH_12)


def test_a_card_for_one_program_takes_one(library: Path) -> None:
    host = with_cards(cards(library, "old-driver.txt"))
    old = ("torch==1.13.1+cu116", "transformers==4.30.0")  # what driver 470 still runs
    small = model(1e8, "F32")
    plan = plan_on(host, {"web": {**GUNICORN, **GPU}}, info=small, requirements=old)
    assert plan.services["web"].workers.value == 1
    with pytest.raises(DoesNotFit):
        plan_on(host, {"web": {**GUNICORN, **GPU, "workers": 2}}, info=small, requirements=old)


def test_an_old_driver_is_refused_with_what_would_do(library: Path) -> None:
    host = with_cards(cards(library, "old-driver.txt"))
    with pytest.raises(DoesNotFit, match=r"torch brings CUDA 13.0, driver 470.256.02 ends at CUDA 11.4: .* 580"):
        plan_on(host, {"web": {**GUNICORN, **GPU}}, requirements=("torch",))
    plan = plan_on(host, {"web": GUNICORN}, requirements=("torch",))
    assert plan.services["web"].device == "cpu"
    assert "ends at CUDA 11.4" in plan.findings[0].message


def test_bf16_before_ampere_is_refused_with_fp16() -> None:
    t4 = with_cards(GpuSetFacts(cuda="13.0", devices=(card(16, compute_capability=(7, 5)),)))
    with pytest.raises(DoesNotFit, match=r"bf16.* begins with Ampere") as refused:
        plan_on(t4, {"web": {**GUNICORN, **GPU}}, requirements=("torch", "transformers>=5"))
    assert refused.value.hint == "load it in fp16 and say so: models.m.dtype: fp16"
    models = {"m": {"path": "weights/m", "dtype": "fp16", "max_input": {"tokens": 2048}}}
    assert plan_on(t4, {"web": {**GUNICORN, **GPU}}, models=models).services["web"].device == "gpu"


def test_fp8_before_ada_is_refused_with_int8() -> None:
    models = {"m": {"path": "weights/m", "dtype": "fp8", "max_input": {"tokens": 2048}}}
    with pytest.raises(DoesNotFit, match=r"fp8.* begins with Ada") as refused:
        plan_on(with_cards(GpuSetFacts(devices=(card(24),))), {"web": {**GUNICORN, **GPU}}, models=models)
    assert "dtype: int8" in (refused.value.hint or "")


def test_too_large_for_the_card_names_dtype_and_card(library: Path) -> None:
    laptop = with_cards(cards(library, "laptop.txt"))
    with pytest.raises(DoesNotFit, match=r"needs .* on one card, .* 3060 Laptop GPU has .* short") as refused:
        plan_on(laptop, {"web": {**GUNICORN, **GPU}}, info=model(5e9), requirements=TORCH_12)
    assert "int4" in (refused.value.hint or "")
    assert "a card like" in (refused.value.hint or "")
    assert "m weights" in refused.value.what


def test_larger_than_any_card_but_not_than_all_says_what_is_missing() -> None:
    two = with_cards(GpuSetFacts(devices=(card(24), card(24, uuid="GPU-b"))))
    with pytest.raises(DoesNotFit) as refused:
        plan_on(two, {"web": {**GUNICORN, **GPU}}, info=model(14e9))
    assert "tensor parallelism, vLLM) is not planned for yet" in (refused.value.hint or "")


def test_auto_takes_the_card_and_says_why(library: Path) -> None:
    plan = plan_on(with_cards(cards(library, "h200.txt")), {"web": GUNICORN}, requirements=("torch", "transformers>=5"))
    assert plan.services["web"].device == "gpu"
    (finding,) = [one for one in plan.findings if one.code == "gpu-used"]
    assert "NVIDIA H200" in finding.message


@pytest.mark.parametrize(
    ("gpus", "why"),
    [
        (GpuSetFacts(devices=(GpuFacts(vendor="nvidia", name="NVIDIA A10G"),)), "NVML does not tell its memory"),
        (GpuSetFacts(devices=(card(24, compute_mode="prohibited"),)), "forbids every program"),
        (GpuSetFacts(devices=(card(24, mig=True),)), "no instance is made"),
    ],
)
def test_auto_stays_on_the_processor_and_says_why(gpus: GpuSetFacts, why: str) -> None:
    plan = plan_on(with_cards(gpus), {"web": GUNICORN})
    assert plan.services["web"].device == "cpu"
    assert [one.code for one in plan.findings if why in one.message] == ["gpu-not-used"]


def test_auto_keeps_what_was_measured_on_a_processor() -> None:
    host = with_cards(GpuSetFacts(devices=(card(24),)))
    plan = plan_on(host, {"web": GUNICORN}, measured={"web": footprint()})
    assert plan.services["web"].device == "cpu"
    assert plan_on(host, {"web": {**GUNICORN, **GPU}}, measured={"web": footprint()}).services["web"].device == "gpu"


def test_what_was_measured_on_a_card_is_planned_with() -> None:
    regions = (
        *footprint().regions,
        region("CUDA context", "import", "gpu", "process", 400),
        region("weights", "load", "gpu", "process", 1000),
        region("activations", "serve", "gpu", "request", 100),
    )
    host = with_cards(GpuSetFacts(devices=(card(24),)))
    gpu = plan_on(host, {"web": GUNICORN}, measured={"web": footprint(regions=regions)}).services["web"].gpu
    assert gpu is not None
    assert (gpu.need_bytes.value, gpu.need_bytes.source) == (1575 * MIB, "measured")


def test_an_engine_without_a_way_to_cards_is_told_how() -> None:
    host = with_cards(GpuSetFacts(devices=(card(24),)), runtime=False)
    with pytest.raises(DoesNotFit, match="neither the nvidia runtime nor CDI") as refused:
        plan_on(host, {"web": {**GUNICORN, **GPU}})
    assert "nvidia-container-toolkit" in (refused.value.hint or "")
    by_cdi = with_cards(GpuSetFacts(devices=(card(24),)), runtime=False, cdi=("nvidia.com/gpu=all",))
    gpu = plan_on(by_cdi, {"web": {**GUNICORN, **GPU}}).services["web"].gpu
    assert gpu is not None
    assert gpu.access.value == "cdi"


def test_how_containers_get_cards_is_the_users_choice_where_the_versions_know_it() -> None:
    def by(way: str, compose: str = "2.30.1", version: str = "28.2.0", **more: Any) -> str:
        host = with_cards(GpuSetFacts(devices=(card(24),)), **more)
        assert host.engine is not None
        engine = host.engine.model_copy(update={"compose_version": compose, "version": version})
        chosen = plan_on(
            host.model_copy(update={"engine": engine}), {"web": {**GUNICORN, **GPU}}, settings={"gpu_access": way}
        )
        gpu = chosen.services["web"].gpu
        assert gpu is not None
        assert gpu.access.source == "user"
        return gpu.access.value

    assert by("gpus") == "gpus"
    assert by("reservation", compose="2.20.2") == "reservation"
    assert by("cdi", cdi=("nvidia.com/gpu=all",)) == "cdi"
    with pytest.raises(SpecError, match=r"Compose 2\.26\.1-4 does not know `gpus:`, which came with 2\.30\.0"):
        by("gpus", compose="2.26.1-4")
    with pytest.raises(SpecError, match=r"24\.0\.7 does not know CDI"):
        by("cdi", version="24.0.7", cdi=("nvidia.com/gpu=all",))
    with pytest.raises(SpecError, match="knows no CDI device") as refused:
        by("cdi")
    assert "nvidia-ctk cdi generate" in (refused.value.hint or "")


@pytest.mark.parametrize("vendor", ["amd", "intel", "apple"])
def test_cards_of_others_are_named_and_not_planned_for(vendor: str) -> None:
    other = GpuSetFacts.model_validate({"devices": [{"vendor": vendor, "name": f"{vendor} card"}]})
    with pytest.raises(DoesNotFit, match=f"{vendor} card: mlpack plans for NVIDIA cards only"):
        plan_on(with_cards(other), {"web": {**GUNICORN, **GPU}})
    assert plan_on(with_cards(other), {"web": GUNICORN}).services["web"].device == "cpu"


def test_preload_with_a_card_is_refused() -> None:
    with pytest.raises(SpecError, match="CUDA does not survive a fork"):
        plan_on(with_cards(GpuSetFacts(devices=(card(24),))), {"web": {**GUNICORN, **GPU, "preload": True}})


def test_packages_without_cuda_are_named() -> None:
    host = with_cards(GpuSetFacts(devices=(card(24),)))
    with pytest.raises(DoesNotFit, match="pinned to a \\+cpu build"):
        plan_on(host, {"web": {**GUNICORN, **GPU}}, requirements=("torch==2.9.1+cpu", "transformers"))
    with pytest.raises(DoesNotFit, match="require onnxruntime-gpu"):
        plan_on(host, {"web": {**GUNICORN, **GPU}}, runtime="onnxruntime", requirements=("onnxruntime==1.23",))


def test_two_small_models_share_one_card_and_auto_gives_way_when_it_is_full() -> None:
    host = with_cards(GpuSetFacts(devices=(card(12),)))
    both = {"web": {**GUNICORN, **GPU}, "api": {**GUNICORN, "port": 8001, "device": "auto"}}
    plan = plan_on(host, both)
    assert {name: one.device for name, one in plan.services.items()} == {"web": "gpu", "api": "gpu"}
    (row,) = plan.budget.cards
    assert row.services == ("web", "api")
    plan = plan_on(host, both, info=model(3e9))
    assert {name: one.device for name, one in plan.services.items()} == {"web": "gpu", "api": "cpu"}
    assert "the cards are full" in plan.findings[0].message


LLM = {"server": "llama_server", "models": ["m"], "device": "gpu"}


def test_a_gguf_model_goes_to_the_card_whole_or_by_layers() -> None:
    models = {"m": {"path": "weights/m.gguf", "max_input": {"tokens": 4096}}}
    info = model(8e9, "Q4_0", format_="gguf")

    def layers(size_gib: float) -> tuple[int, int]:
        host = with_cards(GpuSetFacts(devices=(card(size_gib),)))
        plan = plan_on(host, {"llm": LLM}, info=info, runtime="llama_cpp", models=models)
        gpu = plan.services["llm"].gpu
        assert gpu is not None
        assert gpu.offload_layers is not None
        assert gpu.need_bytes.value <= plan.budget.cards[0].usable_bytes
        return gpu.offload_layers.value, plan.services["llm"].memory.serve_bytes

    whole, part, less = layers(24), layers(6), layers(5)
    assert whole[0] == 999
    assert 1 <= less[0] < part[0] <= 32
    assert less[1] > part[1] > whole[1]  # the rest of weights and cache is on the host
    each = model(8e9, "Q4_0").weights_bytes / 33  # 32 layers and the output layer
    assert less[1] - part[1] > (part[0] - less[0]) * each


def test_mig_instances_have_their_own_memory() -> None:
    part = MigFacts(name="1g.5gb", uuid="MIG-1", memory_total_bytes=5 * GIB)
    split = GpuSetFacts(devices=(card(40, mig=True, instances=(part, part.model_copy(update={"uuid": "MIG-2"}))),))
    with pytest.raises(MlpackError, match=r"1g\.5gb has"):
        plan_on(with_cards(split), {"web": {**GUNICORN, **GPU}}, info=model(8e9))
