# mypy: ignore-errors
"""Plain torch: ``torch.load`` and ``load_state_dict``, which copies. BATCH texts of TOKENS vectors, or BATCH images."""

import os

import torch
from http_app import wsgi
from torch_models import NETS, inputs

net = os.environ["NET"]
model = NETS[net]().eval()
model.load_state_dict(torch.load(os.environ["MODEL"], map_location="cpu", weights_only=True))


def predict(seed):
    with torch.inference_mode():
        answer = model(inputs(net, seed, int(os.environ["BATCH"])))
    return [round(float(value), 3) for value in answer.flatten()[:8]]


app = wsgi(predict)
