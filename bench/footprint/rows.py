"""The served configurations: model, library and server, how many workers, where they part, how they are asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlpack.spec import RuntimeName, ServerName


@dataclass(frozen=True)
class Served:
    """A model in its framework. ``python``: the image's environment. ``path``: the model, below the weights' folder."""

    python: str
    app: str
    runtime: RuntimeName
    path: str
    env: dict[str, str]
    max_input: dict[str, object] | None
    fitted: bool
    """Some constant of the estimate was fitted with this model's numbers; the others were looked at afterwards."""
    parts: tuple[str, ...] = ()
    """Several models in one worker: folders below ``path``, each in the variable of its name."""

    @property
    def texts(self) -> bool:
        """Whether it is asked with a text, which may have any length; the others' inputs have one shape."""
        return self.app in ("transformers_app", "four_app")


@dataclass(frozen=True)
class Row:
    """One service. ``fork``: what the row is there to show, in words of the table."""

    name: str
    model: str
    server: ServerName = "gunicorn"
    interface: str = "wsgi"
    workers: int = 1
    concurrency: int = 1
    preload: bool = False
    env: dict[str, str] = field(default_factory=dict)

    @property
    def clients(self) -> int:
        """Requests at once: as many as the service lets in."""
        return self.workers * self.concurrency

    @property
    def how(self) -> str:
        """Server, workers and requests in words."""
        kind = "gthread" if self.server == "gunicorn" and self.concurrency > 1 else "sync"
        program = {"gunicorn": f"gunicorn {kind}", "uvicorn": "uvicorn", "celery": "Celery prefork"}[self.server]
        return f"{program} {self.workers} x {self.concurrency}{', preload' if self.preload else ''}"


def _text(batch: int, tokens: int) -> dict[str, object]:
    return {"tokens": tokens, "batch": batch}


def _shape(batch: int, *shape: int) -> dict[str, object]:
    return {"shape": list(shape), "batch": batch}


SERVED = {
    "minilm": Served(
        "torch",
        "transformers_app",
        "transformers",
        "minilm/model",
        {"BATCH": "4"},
        _text(4, 128),
        True,
    ),
    "bert": Served("torch", "transformers_app", "transformers", "bert/bert", {"BATCH": "2"}, _text(2, 128), True),
    "gpt2": Served("torch", "transformers_app", "transformers", "gpt2/gpt2", {"BATCH": "1"}, _text(1, 256), False),
    "four": Served(
        "torch",
        "four_app",
        "transformers",
        "four",
        {},
        _text(4, 128),
        False,
        parts=("theme", "sentiment", "emotion", "safety"),
    ),
    "encoder": Served(
        "torch", "torch_app", "torch", "encoder/encoder.pt", {"NET": "encoder", "BATCH": "2"}, _text(2, 128), True
    ),
    "convnet": Served(
        "torch",
        "torch_app",
        "torch",
        "convnet/convnet.pt",
        {"NET": "convnet", "BATCH": "2"},
        _shape(2, 3, 224, 224),
        True,
    ),
    "onnx-inside": Served(
        "onnx",
        "onnx_app",
        "onnxruntime",
        "onnx-inside/blocks.onnx",
        {"BATCH": "2", "SHAPE": "128,768"},
        _text(2, 128),
        True,
    ),
    "onnx-external": Served(
        "onnx",
        "onnx_app",
        "onnxruntime",
        "onnx-external/blocks/blocks.onnx",
        {"BATCH": "2", "SHAPE": "128,768"},
        _text(2, 128),
        True,
    ),
    "nsfw": Served(
        "onnx",
        "onnx_app",
        "onnxruntime",
        "nsfw/open-nsfw.onnx",
        {"BATCH": "2", "SHAPE": "224,224,3"},
        _shape(2, 224, 224, 3),
        True,
    ),
    "unet": Served(
        "tensorflow",
        "keras_app",
        "tensorflow",
        "unet/unet.keras",
        {"BATCH": "1", "SHAPE": "256,256,3"},
        _shape(1, 256, 256, 3),
        True,
    ),
    "resnet50": Served(
        "tensorflow",
        "keras_app",
        "tensorflow",
        "resnet50/resnet50.h5",
        {"BATCH": "2", "SHAPE": "224,224,3"},
        _shape(2, 224, 224, 3),
        False,
    ),
    "mobilenet": Served(
        "tensorflow",
        "savedmodel_app",
        "tensorflow",
        "mobilenet/mobilenet",
        {"SIGNATURE": "serving_default", "BATCH": "2", "SHAPE": "224,224,3"},
        _shape(2, 224, 224, 3),
        True,
    ),
    "forest": Served(
        "trees",
        "trees_app",
        "sklearn",
        "forest/forest.joblib",
        {"LIBRARY": "sklearn", "BATCH": "100", "FEATURES": "20"},
        _shape(100, 20),
        True,
    ),
    "extra-trees": Served(
        "trees",
        "trees_app",
        "sklearn",
        "extra-trees/extra.joblib",
        {"LIBRARY": "sklearn", "BATCH": "100", "FEATURES": "30"},
        _shape(100, 30),
        False,
    ),
    "lightgbm": Served(
        "trees",
        "trees_app",
        "lightgbm",
        "lightgbm/boosted.txt",
        {"LIBRARY": "lightgbm", "BATCH": "1000", "FEATURES": "30"},
        _shape(1000, 30),
        True,
    ),
    "xgboost": Served(
        "trees",
        "trees_app",
        "xgboost",
        "xgboost/boosted.ubj",
        {"LIBRARY": "xgboost", "BATCH": "1000", "FEATURES": "30"},
        _shape(1000, 30),
        True,
    ),
    "smollm2": Served(
        "llama",
        "llama_app",
        "llama_cpp",
        "smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        {"CONTEXT": "2048", "PROMPT": "60", "ANSWER": "4"},
        {"tokens": 2048},
        True,
    ),
}
ROWS = (
    Row("minilm-sync-2", "minilm", workers=2),
    Row("onnx-inside-sync-2", "onnx-inside", workers=2),
    Row("onnx-external-sync-2", "onnx-external", workers=2),
    Row("encoder-sync-2", "encoder", workers=2),
    Row("forest-sync-4", "forest", workers=4),
    Row("lightgbm-gthread-2x2", "lightgbm", workers=2, concurrency=2),
    Row("smollm2-sync-1", "smollm2"),
    Row("unet-sync-1", "unet"),
    Row("mobilenet-gthread-1x2", "mobilenet", concurrency=2),
    Row("minilm-spawn-2", "minilm", server="uvicorn", interface="asgi", workers=2),
    Row("encoder-preload-4", "encoder", workers=4, preload=True),
    Row("nsfw-gthread-2x2", "nsfw", workers=2, concurrency=2),
    Row("encoder-celery-2", "encoder", server="celery", workers=2),
    Row("gpt2-sync-2", "gpt2", workers=2),
    Row("forest-preload-4", "forest", workers=4, preload=True),
    Row("resnet50-sync-2", "resnet50", workers=2),
    Row("extra-trees-sync-2", "extra-trees", workers=2),
    Row("xgboost-sync-2", "xgboost", workers=2),
    Row("convnet-gthread-1x2", "convnet", concurrency=2),
    Row("bert-uvicorn-1x2", "bert", server="uvicorn", interface="asgi", concurrency=2),
    Row("minilm-sync-1", "minilm"),
    Row("onnx-inside-preload-4", "onnx-inside", workers=4, preload=True),
    Row("minilm-preload-4", "minilm", workers=4, preload=True),
    Row("four-sync-2", "four", workers=2),
    Row("four-preload-2", "four", workers=2, preload=True),
)
