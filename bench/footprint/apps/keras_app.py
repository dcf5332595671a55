# mypy: ignore-errors
"""Keras: ``load_model`` of a .keras file and ``predict`` of BATCH images of SHAPE."""

import os

import keras
import numpy as np
from http_app import wsgi

model = keras.models.load_model(os.environ["MODEL"], compile=False)
shape = (int(os.environ["BATCH"]), *(int(part) for part in os.environ["SHAPE"].split(",")))


def predict(seed):
    values = np.random.default_rng(seed).random(shape, dtype=np.float32)
    answer = model.predict(values, verbose=0)
    return [round(float(value), 3) for value in answer.ravel()[:8]]


app = wsgi(predict)
