# mypy: ignore-errors
"""Transformers: weights mapped from a safetensors file. Numbers of the last layer, of BATCH texts as long as asked."""

import os

import torch
from http_app import asgi, wsgi
from texts import tokens
from transformers import AutoModel

BATCH = int(os.environ["BATCH"])
model = AutoModel.from_pretrained(os.environ["MODEL"], local_files_only=True).eval()


def predict(seed, text):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1000, 20000, (BATCH, tokens(text)), generator=generator)
    with torch.inference_mode():
        hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    return [round(float(value), 3) for value in hidden[:, 0, :4].flatten()[:8]]


app = asgi(predict) if os.environ.get("INTERFACE") == "asgi" else wsgi(predict)
