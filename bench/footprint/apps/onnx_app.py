# mypy: ignore-errors
"""ONNX Runtime: BATCH items of SHAPE in float32. Weights are inside the .onnx file or beside it."""

import os

import numpy as np
import onnxruntime
from http_app import wsgi

session = onnxruntime.InferenceSession(os.environ["MODEL"], providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
shape = (int(os.environ["BATCH"]), *(int(part) for part in os.environ["SHAPE"].split(",")))


def predict(seed):
    values = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    answer = session.run(None, {name: values})[0]
    return [round(float(value), 3) for value in answer.ravel()[:8]]


app = wsgi(predict)
