"""POST /predict: pictures of 224 x 224 x 3 bytes (BGR) as .npy -> how unfit each is, 0 to 1."""

import os

import numpy as np
import onnxruntime
from flask import Flask, request

session = onnxruntime.InferenceSession(os.environ["MODEL"])
MEAN = np.array([104, 117, 123], np.float32)
INPUT = session.get_inputs()[0].name
app = Flask(__name__)


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
def predict() -> dict[str, list[float]]:
    pictures = np.load(request.files["input"], allow_pickle=False) - MEAN
    return {"unfit": session.run(None, {INPUT: pictures})[0][:, 1].tolist()}
