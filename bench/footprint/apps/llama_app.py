# mypy: ignore-errors
"""llama.cpp by xllamacpp: ANSWER tokens, greedy, after a prompt of about PROMPT words; a context of CONTEXT tokens."""

import os

import xllamacpp
from http_app import wsgi

parameters = xllamacpp.CommonParams()
parameters.model.path = os.environ["MODEL"]
parameters.n_ctx = int(os.environ["CONTEXT"])
parameters.n_parallel = 1
parameters.cpuparams.n_threads = int(os.environ.get("LLAMA_THREADS", "1"))
parameters.cpuparams_batch.n_threads = int(os.environ.get("LLAMA_THREADS", "1"))
parameters.warmup = False
server = xllamacpp.Server(parameters)
WORDS = ("river", "stone", "green", "seven", "music", "paper", "cloud", "winter")


def predict(seed):
    words = " ".join(WORDS[(seed + index * index) % len(WORDS)] for index in range(int(os.environ["PROMPT"])))
    asked = {"prompt": words, "max_tokens": int(os.environ["ANSWER"]), "temperature": 0, "cache_prompt": False}
    answer = server.handle_completions(asked)
    text = answer["choices"][0]["text"]
    return [len(text) > 0, answer["usage"]["completion_tokens"]]


app = wsgi(predict)
