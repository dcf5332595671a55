"""POST /predict: rows of 40 numbers as .npy -> the score of each."""

import os

import lightgbm
import numpy as np
from flask import Flask, request

model = lightgbm.Booster(model_file=os.environ["MODEL"])
app = Flask(__name__)


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
def predict() -> dict[str, list[float]]:
    rows = np.load(request.files["input"], allow_pickle=False)
    return {"scores": model.predict(rows).tolist()}
