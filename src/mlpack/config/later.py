"""What people rightly look for and mlpack does not do yet: named as such, not taken for a spelling mistake."""

from __future__ import annotations

_SEVERAL = (
    "one model over several cards is not planned for yet: a narrower dtype, a larger card, or a part of its layers"
)
_SHARING = (
    "sharing a card by MPS is not planned for yet: several workers fit on one as they are (workers: N), or by MIG"
)
LATER = {
    "vllm": "vLLM is not planned for yet: llama_server or ollama for GGUF files, an app of your own under uvicorn else",
    "tensor_parallel": _SEVERAL,
    "tensor_parallel_size": _SEVERAL,
    "mps": _SHARING,
}
"""A word where it is not known -> what to say instead of the nearest spelling."""
