"""Predicted against measured memory on a card, for three torch models: an encoder, a decoder with its cache, a ConvNet.

    python bench/gpu_accuracy/bench.py             # on a machine with an NVIDIA card, torch with CUDA and transformers
    python bench/gpu_accuracy/bench.py --predict   # works predictions.json out again; needs mlpack, no card

Measuring needs no mlpack: predictions.json, which is committed, holds what it said. Every model is made from its
configuration with random weights in a process of its own, answers its largest request three times and holds still,
while this process asks NVML (or nvidia-smi) how much more of the card is in use than before; torch's own peak counters
are written down beside it. Writes result.json beside this file. Without a card nothing is measured or written, and the
exit code is 4.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PREDICTIONS, RESULT = HERE / "predictions.json", HERE / "result.json"
NO_CARD = 4
ROUNDS = 3
MIB = 1024**2
MODELS: dict[str, dict[str, Any]] = {
    "encoder": {
        "kind": "encoder",
        "dtype": "fp16",
        "tokens": 512,
        "batch": 32,
        "config": {"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 1024, "intermediate_size": 4096}
        | {"num_hidden_layers": 24, "num_attention_heads": 16, "vocab_size": 30522, "max_position_embeddings": 512},
    },
    "decoder": {
        "kind": "decoder",
        "dtype": "bf16",
        "tokens": 4096,
        "batch": 4,
        "config": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 2048}
        | {"intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32, "num_key_value_heads": 4}
        | {"vocab_size": 32000, "max_position_embeddings": 8192, "tie_word_embeddings": False},
    },
    "unet": {"kind": "unet", "dtype": "fp32", "shape": [1, 512, 512], "batch": 4, "width": 64},
}
"""BERT-large, a Llama of 1.1 billion parameters (TinyLlama's sizes), and a U-Net of 31 million."""


def built(model: dict[str, Any]) -> Any:
    """The torch module, on the device and in the dtype that are the defaults then."""
    if model["kind"] == "unet":
        return unet(model["width"])
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    known = {key: value for key, value in model["config"].items() if key not in ("model_type", "architectures")}
    config = AutoConfig.for_model(model["config"]["model_type"], **known)
    return (AutoModelForCausalLM if model["kind"] == "decoder" else AutoModel).from_config(config)


def unet(width: int) -> Any:
    """The classic U-Net with four levels (Ronneberger and others, 2015), padded convolutions."""
    import torch
    from torch import nn

    def double(ins: int, outs: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(ins, outs, 3, padding=1), nn.ReLU(), nn.Conv2d(outs, outs, 3, padding=1), nn.ReLU()
        )

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = [width * 2**level for level in range(5)]
            self.down = nn.ModuleList([double(1 if not at else sizes[at - 1], size) for at, size in enumerate(sizes)])
            self.up = nn.ModuleList([nn.ConvTranspose2d(2 * size, size, 2, stride=2) for size in sizes[:4]])
            self.merge = nn.ModuleList([double(2 * size, size) for size in sizes[:4]])
            self.last = nn.Conv2d(width, 2, 1)

        def forward(self, x: Any) -> Any:
            kept = []
            for at, block in enumerate(self.down):
                x = block(x if not at else torch.max_pool2d(x, 2))
                kept.append(x)
            for at in reversed(range(4)):
                x = self.merge[at](torch.cat([kept[at], self.up[at](x)], dim=1))
            return self.last(x)

    return UNet()


def child(name: str) -> None:
    """Load model ``name`` on the card, answer its largest request, tell torch's counters, and wait to be looked at."""
    import torch

    model = MODELS[name]
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[model["dtype"]]
    torch.set_default_dtype(dtype)
    module = built(model).eval().to("cuda")
    torch.set_default_dtype(torch.float32)
    with torch.inference_mode():
        for _ in range(ROUNDS):
            if model["kind"] == "unet":
                module(torch.randn(model["batch"], *model["shape"], device="cuda", dtype=dtype))
                continue
            ids = torch.randint(0, 1000, (model["batch"], model["tokens"]), device="cuda")
            if model["kind"] == "encoder":
                module(ids)
            else:
                said = module(ids, use_cache=True, logits_to_keep=1)
                module(ids[:, :1], past_key_values=said.past_key_values, use_cache=True, logits_to_keep=1)
    torch.cuda.synchronize()
    counters = {
        "peak_allocated_bytes": torch.cuda.max_memory_allocated(),
        "peak_reserved_bytes": torch.cuda.max_memory_reserved(),
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }
    print(json.dumps(counters), flush=True)
    sys.stdin.readline()


def used_bytes() -> int | None:
    """What of the first card is in use, by NVML, else by nvidia-smi; None without a card."""
    try:
        import pynvml

        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).used)
        finally:
            pynvml.nvmlShutdown()
    except Exception:  # no binding, no library, no card: nvidia-smi may still answer
        ask = ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=30)
            return int(done.stdout.strip()) * MIB
        except (OSError, subprocess.SubprocessError, ValueError):
            return None


def measured(name: str) -> dict[str, Any]:
    """One model in a process of its own: bytes of the card it holds after its requests, and torch's counters."""
    before = used_bytes()
    argv = [sys.executable, __file__, "--child", name]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        after = used_bytes()
        process.communicate("done\n", timeout=60)
    if not line or before is None or after is None:
        raise SystemExit(f"{name}: the process ended without an answer, see above")
    return {**json.loads(line), "card_bytes": after - before}


def predict() -> None:
    """predictions.json from mlpack's own arithmetic."""
    sys.path.insert(0, str(HERE.parents[1] / "src"))
    PREDICTIONS.write_text(json.dumps(predictions(), indent=2) + "\n", encoding="utf-8")


def predictions() -> dict[str, Any]:
    """Model -> the terms that mlpack plans on a card, without headroom."""
    from mlpack.estimate.gpu import on_card
    from mlpack.footprint import Footprint
    from mlpack.formats.config_json import architecture_of
    from mlpack.model import Architecture, DtypeShare, ModelFile, ModelInfo
    from mlpack.planner.gpu_need import card_need
    from mlpack.spec import Model, RuntimeName

    stored = {"fp16": ("F16", 2), "bf16": ("BF16", 2), "fp32": ("F32", 4)}
    found = {}
    for name, model in MODELS.items():
        dtype, size = stored[model["dtype"]]
        count = PARAMETERS[name]
        architecture = architecture_of(model["config"]) if "config" in model else None
        info = ModelInfo(
            format="transformers" if "config" in model else "pytorch",
            files=(ModelFile(path=name, size_bytes=count * size, header_sha256="0"),),
            dtypes=(DtypeShare(dtype=dtype, parameters=count, bytes=count * size),),
            architecture=architecture or Architecture(family="convolutional", name="UNet"),
        )
        largest = {key: model[key] for key in ("tokens", "shape", "batch") if key in model}
        asked = Model.model_validate({"path": name, "dtype": model["dtype"], "max_input": largest})
        empty = Footprint(service=name, source="estimated", regions=(), load_s=0, request_s=0)
        runtime: RuntimeName = "transformers" if "config" in model else "torch"
        footprint = on_card(empty, {"m": (asked, info, runtime)}, None)
        need = card_need(footprint, 1) if footprint else None
        assert need is not None
        terms = {term.name: term.total_bytes for term in need.terms}
        lower = need.lower_bytes
        found[name] = {"predicted_bytes": sum(terms.values()), "lower_bytes": lower, "terms": terms}
    return found


PARAMETERS = {"encoder": 335_141_888, "decoder": 1_100_048_384, "unet": 31_030_658}
"""Counted by building each model; a test counts the U-Net's by hand."""


def main() -> int:
    """Measure all three; 4 where there is no card."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--predict", action="store_true", help="work predictions.json out again")
    arguments.add_argument("--child", choices=sorted(MODELS), help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.child:
        child(asked.child)
        return 0
    if asked.predict:
        predict()
        return 0
    if used_bytes() is None:
        print("no NVIDIA card answers here: nothing is measured, and result.json is left as it is", file=sys.stderr)
        return NO_CARD
    rows = {}
    for name, said in json.loads(PREDICTIONS.read_text(encoding="utf-8")).items():
        row = measured(name)
        context = row["card_bytes"] - row["peak_reserved_bytes"]
        ratio = said["predicted_bytes"] / row["card_bytes"]
        rows[name] = {**row, "context_bytes": context, **said, "predicted_to_measured": round(ratio, 3)}
        print(
            f"{name:<8} measured {row['card_bytes'] / MIB:8,.0f} MiB (context and libraries {context / MIB:,.0f}), "
            f"predicted {said['predicted_bytes'] / MIB:8,.0f} MiB: {ratio:.2f}x"
        )
    RESULT.write_text(json.dumps({"models": rows}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
