"""The classifier as one process: the same checks, models and answers, without Ray, workers or proxy. For the bench."""

# It runs in the image of the example, with packages that are only there.
# mypy: ignore-errors
import os
from pathlib import Path

import lightgbm
import numpy as np
import torch
from clip import Clip
from eyes import LABELS, NotTaken, features, take
from fastapi import FastAPI, UploadFile
from fastapi.responses import JSONResponse
from safetensors.torch import load_file

WEIGHTS = Path(os.environ["CLASSIFIER"]) / "weights"
torch.set_num_threads(1)
app = FastAPI()
clip = Clip().eval()
clip.load_state_dict(load_file(WEIGHTS / "clip.safetensors"))
trees = lightgbm.Booster(model_file=WEIGHTS / "trees.txt")


@app.get("/health")
async def health() -> dict[str, bool]:
    return {"ready": True}


@app.post("/classify", response_model=None)
async def classify(image: UploadFile) -> JSONResponse:
    try:
        picture = take(await image.read())
    except NotTaken as error:
        return JSONResponse({"detail": error.words}, status_code=error.status)
    with torch.inference_mode():
        first = clip(torch.from_numpy(picture.copy()).unsqueeze(0)).softmax(1)[0].numpy()
    second = trees.predict(features(picture)[None], num_threads=1)[0]
    return JSONResponse({"label": LABELS[int(np.mean([first, second], axis=0).argmax())]})
