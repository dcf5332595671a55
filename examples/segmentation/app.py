"""Finds cells in microscope pictures: upload one, see the mask over it and what it measures.

POST /segment takes a PNG or JPEG of at most 1024 x 1024 pixels in the field `image`. A picture is named by its
content: sent twice it is stored once. The model is loaded while this module is imported, so that a worker that answers
is a worker that can segment.
"""

import hashlib
import io
import json
import logging
import os
import re
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

import keras
import numpy as np
from flask import Flask, abort, jsonify, render_template, request, send_from_directory
from PIL import Image
from werkzeug.exceptions import HTTPException

from analysis import summary
from pictures import KINDS, MAX_SIDE, Refused, read_picture

HERE = Path(__file__).parent
MODEL = Path(os.environ.get("MODEL_PATH", HERE / "weights" / "unet.keras"))
RAW, SEGMENTED, ANALYZED = (HERE / "data" / name for name in ("raw", "segmented", "analyzed"))
LOGS = HERE / "logs"
STEP = 32
"""Sides are padded to a multiple of this: the network halves three times, and few sizes mean few traced graphs."""
RECENT = 6
NAME = re.compile(r"[0-9a-f]{20}")
DRAIN_BYTES = 64 * 1024**2

for folder in (RAW, SEGMENTED, ANALYZED, LOGS):
    folder.mkdir(parents=True, exist_ok=True)

log = logging.getLogger("segmentation")
log.setLevel(logging.INFO)
handler = WatchedFileHandler(LOGS / "segmentation.log", encoding="utf-8")
handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
log.addHandler(handler)

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = int(os.environ.get("MAX_UPLOAD_BYTES", 8 * 1024**2))
app.json.sort_keys = False
model = keras.saving.load_model(MODEL, compile=False)
model.predict_on_batch(np.zeros((1, STEP, STEP, 3), "float32"))  # traced once before anybody waits for it


def segment(picture: np.ndarray) -> np.ndarray:
    """Where cells are in ``picture`` (height, width, 3): bool, (height, width)."""
    height, width = picture.shape[:2]
    padded = np.pad(picture, ((0, -height % STEP), (0, -width % STEP), (0, 0)), mode="edge")
    likely = model.predict_on_batch(padded[None].astype("float32"))
    return likely[0, :height, :width, 0] > 0.5


def store(path: Path, data: bytes) -> None:
    """Whole or not at all, also when two workers store the same picture."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)


def png(mask: np.ndarray) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(mask).save(packed, "PNG")
    return packed.getvalue()


@app.get("/")
def page() -> str:
    return render_template("index.html", max_side=MAX_SIDE, max_bytes=app.config["MAX_CONTENT_LENGTH"])


@app.get("/health")
def health():
    return jsonify(ready=True)


@app.post("/segment")
def upload():
    sent = request.files.get("image")
    if sent is None:
        raise Refused(400, "Send the picture as a form field named `image`.")
    data = sent.read()
    start = time.perf_counter()
    mask = segment(read_picture(data))
    name = hashlib.sha256(data).hexdigest()[:20]
    found = {"id": name, **summary(mask)}
    store(RAW / name, data)
    store(SEGMENTED / f"{name}.png", png(mask))
    store(ANALYZED / f"{name}.json", json.dumps(found).encode())
    log.info("%s: %s cells in %.0f ms", name, found["count"], 1000 * (time.perf_counter() - start))
    return jsonify(found)


@app.get("/masks/<name>.png")
def mask_file(name: str):
    return send_from_directory(SEGMENTED, f"{known(name)}.png", mimetype="image/png")


@app.get("/pictures/<name>")
def picture_file(name: str):
    with (RAW / known(name)).open("rb") as stream:
        kind = Image.open(stream, formats=KINDS).get_format_mimetype()
    return send_from_directory(RAW, name, mimetype=kind)


@app.get("/analyses/<name>.json")
def analysis_file(name: str):
    return send_from_directory(ANALYZED, f"{known(name)}.json")


@app.get("/analyses")
def recent():
    """The newest analyses, without their lists of cells."""
    newest = sorted(ANALYZED.glob("[0-9a-f]*.json"), key=lambda path: path.stat().st_mtime, reverse=True)[:RECENT]
    found = [json.loads(path.read_text("utf-8")) for path in newest]
    return jsonify([{key: value for key, value in one.items() if key != "cells"} for one in found])


def known(name: str) -> str:
    """``name`` if there is such a picture; 404 otherwise."""
    if not NAME.fullmatch(name) or not (RAW / name).is_file():
        abort(404)
    return name


@app.after_request
def harden(answer):
    """What users upload is shown as a picture or not at all; nothing comes from other places."""
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Security-Policy"] = "default-src 'self'; img-src 'self' blob:; object-src 'none'"
    return answer


@app.errorhandler(Refused)
def refused(error: Refused):
    log.warning("refused (%s): %s", error.status, error.words)
    return jsonify(error=error.words), error.status


@app.errorhandler(HTTPException)
def failed(error: HTTPException):
    words = error.description
    if error.code == 413:
        words = f"The file is larger than {app.config['MAX_CONTENT_LENGTH'] // 1024**2} MiB."
        drain()
    return jsonify(error=words), error.code


def drain() -> None:
    """Read on for a while: a connection closed with unread bytes is reset, and the browser never sees the answer."""
    left = min(request.content_length or 0, DRAIN_BYTES)
    while left > 0:
        piece = len(request.environ["wsgi.input"].read(min(left, 1024**2)))
        if not piece:
            break
        left -= piece
