# mypy: ignore-errors
"""A Celery worker, prefork: the parent imports torch and this module, each child loads the model (copied)."""

import os

import torch
from celery import Celery
from celery.signals import worker_process_init
from http_app import ready
from torch_models import NETS, inputs

app = Celery("bench", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.update(broker_connection_retry_on_startup=True, result_expires=600)
loaded = {}


@worker_process_init.connect
def load(**_):
    model = NETS[os.environ["NET"]]().eval()
    model.load_state_dict(torch.load(os.environ["MODEL"], map_location="cpu", weights_only=True))
    loaded["model"] = model
    ready()


@app.task(name="predict")
def predict(seed):
    with torch.inference_mode():
        answer = loaded["model"](inputs(os.environ["NET"], seed, int(os.environ["BATCH"])))
    return [round(float(value), 3) for value in answer.flatten()[:8]]
