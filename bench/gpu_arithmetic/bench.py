"""KV cache and weights of public architectures: mlpack's arithmetic beside transformers' own tensors and two peers.

    python bench/gpu_arithmetic/bench.py

Runs in an environment with torch (CPU is enough), transformers, accelerate and hf-mem; no weights are fetched. The
truth is transformers itself: each model is built on the meta device from the config.json that is kept under
tests/estimate/architectures, fed a prompt, and the storages of its cache are added up; parameters are counted the same
way. mlpack's numbers are worked out by the test that reads result.json (tests/estimate/test_gpu_architectures.py).
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parents[1] / "tests" / "estimate" / "architectures"
TOKENS = 8192
"""The prompt's length, or the model's context where that is shorter."""


def built(config: dict[str, Any]) -> Any:
    """The model of ``config`` on the meta device, in bfloat16."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    known = {key: value for key, value in config.items() if key not in ("architectures", "torch_dtype", "model_type")}
    made = AutoConfig.for_model(config["model_type"], **known)
    family = AutoModelForSeq2SeqLM if config.get("is_encoder_decoder") else AutoModelForCausalLM
    with torch.device("meta"):
        return family.from_config(made, dtype=torch.bfloat16).eval()


def cache_bytes(model: Any, tokens: int) -> tuple[int, int]:
    """Bytes of the cache's storages after a prompt of ``tokens`` tokens, and after one token more."""
    import torch

    def ids(count: int) -> Any:
        return torch.zeros((1, count), dtype=torch.long, device="meta")

    with torch.no_grad():
        if model.config.is_encoder_decoder:
            said = model(input_ids=ids(tokens), decoder_input_ids=ids(tokens), use_cache=True)
            return (stored(said.past_key_values),) * 2
        said = model(ids(tokens), use_cache=True, logits_to_keep=1)
        prompt = stored(said.past_key_values)
        said = model(ids(1), past_key_values=said.past_key_values, use_cache=True, logits_to_keep=1)
        return prompt, stored(said.past_key_values)


def stored(cache: Any) -> int:
    """Bytes of every distinct storage that the cache keeps alive: a view keeps all of what it looks at."""
    caches = [
        getattr(cache, name) for name in ("self_attention_cache", "cross_attention_cache") if hasattr(cache, name)
    ]
    layers = [layer for one in caches or [cache] for layer in one.layers]
    storages = [tensor.untyped_storage() for layer in layers for tensor in (layer.keys, layer.values)]
    return sum(storage.nbytes() for storage in storages)


def hf_mem(config: dict[str, Any], tokens: int) -> int | None:
    """hf-mem's estimate of the cache in bfloat16; None where its formula does not take the config."""
    from hf_mem.safetensors.kv_cache import compute_safetensors_kv_cache_size

    try:
        return int(compute_safetensors_kv_cache_size(config, "BF16", tokens))
    except KeyError:
        return None


def accelerate_bytes(model: Any) -> int:
    """accelerate's total of the weights (``accelerate estimate-memory``) in bfloat16."""
    import torch
    from accelerate.utils import calculate_maximum_sizes

    model.to(torch.bfloat16)
    return int(calculate_maximum_sizes(model)[0])


def main() -> None:
    """Every architecture; writes result.json beside this file."""
    rows = {}
    for path in sorted(CONFIGS.glob("*.json")):
        known = json.loads(path.read_text(encoding="utf-8"))
        config = known["config"]
        context = config.get("max_position_embeddings") or config.get("n_positions")
        tokens = min(TOKENS, context)
        model = built(config)
        prompt, later = cache_bytes(model, tokens)
        rows[path.stem] = {
            "tokens": tokens,
            "parameters": sum(parameter.nelement() for parameter in model.parameters()),
            "published_parameters": known["published_parameters"],
            "cache_after_prompt_bytes": prompt,
            "cache_one_token_later_bytes": later,
            "hf_mem_cache_bytes": hf_mem(config, tokens),
            "accelerate_weights_bytes": accelerate_bytes(model),
        }
        print(path.stem, rows[path.stem], file=sys.stderr)
    versions = {name: version(name) for name in ("torch", "transformers", "accelerate", "hf-mem")}
    result = {"versions": {**versions, "python": platform.python_version()}, "dtype": "bfloat16", "models": rows}
    (HERE / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
