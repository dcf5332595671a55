# mypy: ignore-errors
"""TensorFlow: a SavedModel's signature SIGNATURE, asked with BATCH arrays of SHAPE."""

import os

import numpy as np
import tensorflow as tf
from http_app import wsgi

loaded = tf.saved_model.load(os.environ["MODEL"])  # kept: a signature alone does not keep its variables
signature = loaded.signatures[os.environ["SIGNATURE"]]
(argument,) = signature.structured_input_signature[1]
batch = int(os.environ["BATCH"])
shape = tuple(int(part) for part in os.environ["SHAPE"].split(","))


def predict(seed):
    values = tf.constant(np.random.default_rng(seed).random((batch, *shape), dtype=np.float32))
    answer = signature(**{argument: values})
    numbers = next(value for _, value in sorted(answer.items()) if value.dtype.is_floating)
    return [round(float(value), 3) for value in numbers.numpy().ravel()[:8]]


app = wsgi(predict)
