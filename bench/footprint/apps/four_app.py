# mypy: ignore-errors
"""Four transformers in one worker, as in examples/moderation: one of pairs with four texts, three with one each."""

import os

import torch
from http_app import asgi, wsgi
from texts import tokens
from transformers import AutoModelForSequenceClassification

NAMES = ("theme", "sentiment", "emotion", "safety")
models = {
    name: AutoModelForSequenceClassification.from_pretrained(os.environ[name.upper()], local_files_only=True).eval()
    for name in NAMES
}


def predict(seed, text):
    generator = torch.Generator().manual_seed(seed)
    found = []
    for name, model in models.items():
        shape = (4 if name == "theme" else 1, tokens(text))
        ids = torch.randint(4, model.config.vocab_size, shape, generator=generator)
        ids[:, -1] = 2  # the end, where BART's classifier looks
        with torch.inference_mode():
            found += model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.flatten()[:4].tolist()
    return [round(value, 3) for value in found[:8]]


app = asgi(predict) if os.environ.get("INTERFACE") == "asgi" else wsgi(predict)
