"""Sentence embeddings over HTTP: POST /embed turns up to 8 texts into vectors of 384 numbers of length one.

The model is all-MiniLM-L6-v2, loaded once per worker at start-up; /health says 200 only after that.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import torch
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from transformers import AutoModel, AutoTokenizer

MODEL_DIR = Path(os.environ.get("MODEL_DIR", Path(__file__).parent / "weights" / "all-minilm-l6-v2"))
CONCURRENCY = int(os.environ.get("EMBED_CONCURRENCY", "1"))
MAX_TEXTS = 8
MAX_TOKENS = 256

loaded: dict[str, object] = {}


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # `def` endpoints run in a pool of 40 threads unless told otherwise; each request holds its own activations.
    anyio.to_thread.current_default_thread_limiter().total_tokens = CONCURRENCY
    loaded["tokenizer"] = AutoTokenizer.from_pretrained(MODEL_DIR, local_files_only=True)
    loaded["model"] = AutoModel.from_pretrained(MODEL_DIR, local_files_only=True).eval()
    yield
    loaded.clear()


app = FastAPI(title="embedding", lifespan=lifespan)


class Texts(BaseModel):
    texts: list[str] = Field(min_length=1, max_length=MAX_TEXTS)


@app.get("/health")
async def health() -> JSONResponse:
    ready = "model" in loaded
    return JSONResponse({"ready": ready}, status_code=200 if ready else 503)


@app.post("/embed")
def embed(body: Texts) -> dict[str, list[list[float]]]:
    batch = loaded["tokenizer"](body.texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    with torch.inference_mode():
        tokens = loaded["model"](**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (tokens * mask).sum(1) / mask.sum(1)  # the model card's mean pooling
    return {"embeddings": torch.nn.functional.normalize(mean, dim=1).tolist()}
