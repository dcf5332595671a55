"""Writes samples/: the requests that mlpack sends, and the answers that are right.

The right vectors are computed here in float64 with the attention written out by PyTorch's plain ("eager") path, so
they are a reference for the float32 service rather than a copy of what it said.
"""

import json
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights" / "all-minilm-l6-v2"
SENTENCES = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "A man is riding a horse.",
    "A cheetah is running behind its prey.",
]
PARAGRAPH = (
    "The mill stood where two streams met, and for most of the year its wheel turned without anybody thinking of it. "
    "In March the snow came down from the hills all at once; then the miller opened both sluices, sat on the bank with "
    "his pipe, and counted what the water carried past: branches, a gate, once a whole hen house with the hens on it. "
)


def reference(texts: list[str]) -> list[list[float]]:
    """The unit vectors of ``texts`` in float64."""
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS, local_files_only=True)
    model = AutoModel.from_pretrained(WEIGHTS, local_files_only=True, attn_implementation="eager").double().eval()
    batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.inference_mode():
        tokens = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (tokens * mask).sum(1) / mask.sum(1)
    return (mean / mean.norm(dim=1, keepdim=True)).tolist()


def write(name: str, value: object) -> None:
    """``value`` as compact JSON with seven digits, a line per vector."""
    text = json.dumps(value, indent=None, separators=(",", ":")).replace("],[", "],\n[")
    (HERE / "samples" / name).write_text(text + "\n")


def main() -> None:
    long = [(PARAGRAPH * 8)[i:] for i in range(0, 160, 20)]
    write("sentences.json", {"texts": SENTENCES})
    write("long.json", {"texts": long})
    for name, texts in (("sentences", SENTENCES), ("long", long)):
        write(f"{name}.expected.json", [[round(x, 7) for x in vector] for vector in reference(texts)])


if __name__ == "__main__":
    main()
