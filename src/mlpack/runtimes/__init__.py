"""The inference runtimes: one module each, in one explicit dict."""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.model import ModelInfo
from mlpack.runtimes import detect, lightgbm, llama_cpp, onnxruntime, sklearn, tensorflow, torch, transformers, xgboost
from mlpack.runtimes.base import Runtime
from mlpack.spec import Model, RuntimeName

RUNTIMES: dict[RuntimeName, Runtime] = {
    "torch": torch,
    "transformers": transformers,
    "tensorflow": tensorflow,
    "onnxruntime": onnxruntime,
    "sklearn": sklearn,
    "lightgbm": lightgbm,
    "xgboost": xgboost,
    "llama_cpp": llama_cpp,
}


def runtime_of(name: str, model: Model, info: ModelInfo, requirements: Sequence[str] | None = None) -> RuntimeName:
    """The runtime that serves model ``name``: exactly one, or SpecError naming the candidates and the key to set."""
    return detect.choose(RUNTIMES, name, model, info, requirements)
