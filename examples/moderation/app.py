"""What a text is about, how it sounds, what it feels, and whether it may be shown: POST /analyze, four transformers.

The models are loaded while this module is imported, so that a server which imports it before it forks has them once,
and a worker that answers /health has them. Texts of more than 512 tokens get 413: nothing is cut off in silence.
"""

import logging
import os
import time
from pathlib import Path

import torch
from flask import Flask, jsonify, request
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from werkzeug.exceptions import HTTPException

HERE = Path(__file__).parent
LOGS = HERE / "logs"
MAX_TOKENS = 512
THEMES = ("sport", "food", "travel", "music")
"""What is asked of the theme model, which knows nothing of these four: it judges whether a sentence follows."""
HYPOTHESIS = "this text is about {}"

log = logging.getLogger("moderation")
log.setLevel(logging.INFO)
if LOGS.is_dir():  # appended to in single writes, so that workers may share the file; the texts themselves stay out
    log.addHandler(logging.FileHandler(LOGS / "moderation.log"))

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = int(os.environ.get("MAX_BODY_BYTES", 64 * 1024))
app.json.sort_keys = False


def load(name: str):
    """Tokenizer and model: a folder, or a name on the hub, whose files HF_HOME holds already."""
    where = os.environ.get(name.upper(), str(HERE / "weights" / name))
    tokenizer = AutoTokenizer.from_pretrained(where, local_files_only=True)
    model = AutoModelForSequenceClassification.from_pretrained(where, local_files_only=True, dtype=torch.float32)
    return tokenizer, model.eval()


models = {name: load(name) for name in ("theme", "sentiment", "emotion", "safety")}


class Refused(Exception):
    """A text that is not analysed: ``status`` and ``words`` are the answer."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


def logits(name: str, *parts: list[str]) -> torch.Tensor:
    """(texts, labels) of model ``name``."""
    tokenizer, model = models[name]
    batch = tokenizer(*parts, padding=True, return_tensors="pt", return_token_type_ids=False)
    tokens = batch["input_ids"].shape[1]
    if tokens > MAX_TOKENS:
        raise Refused(413, f"The text has {tokens} tokens with what is asked about it; {MAX_TOKENS} are the most.")
    with torch.inference_mode():
        return model(**batch).logits


def best(labels: list[str], chances: torch.Tensor) -> dict[str, object]:
    at = int(chances.argmax())
    return {"label": labels[at], "score": round(float(chances[at]), 4)}


def theme(text: str) -> dict[str, object]:
    """Zero-shot: of the sentences "this text is about X", the one that follows from the text most clearly."""
    config = models["theme"][1].config
    follows = config.label2id["entailment"]
    found = logits("theme", [text] * len(THEMES), [HYPOTHESIS.format(name) for name in THEMES])
    return best(list(THEMES), found[:, follows].softmax(0))


def label(name: str, text: str) -> dict[str, object]:
    config = models[name][1].config
    names = [config.id2label[at] for at in range(config.num_labels)]
    return best(names, logits(name, [text])[0].softmax(0))


def text_of(body: object) -> str:
    if not isinstance(body, dict) or not isinstance(body.get("text"), str):
        raise Refused(400, 'Send JSON with the text as a string: {"text": "..."}.')
    text = body["text"].strip()
    if not text:
        raise Refused(400, "The text is empty.")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON may hold half of a surrogate pair, which is no character
        raise Refused(400, f"The text is no Unicode: character {error.start + 1} is half of a pair.") from error
    return text


@app.get("/health")
def health():
    return jsonify(ready=True)


@app.post("/analyze")
def analyze():
    text, began = text_of(request.get_json()), time.monotonic()
    found = {"theme": theme(text)} | {name: label(name, text) for name in ("sentiment", "emotion", "safety")}
    log.info("%d characters, %s, %.3f s", len(text), found["safety"]["label"], time.monotonic() - began)
    return jsonify(found)


@app.errorhandler(Refused)
def refused(error: Refused):
    return jsonify(error=error.words), error.status


@app.errorhandler(HTTPException)
def failed(error: HTTPException):
    words = error.description
    if error.code == 413:
        words = f"The request is larger than {app.config['MAX_CONTENT_LENGTH'] // 1024} KiB."
    return jsonify(error=words), error.code
