"""POST /predict: windows of 1024 samples at 16 kHz as .npy -> the likeliest of 360 pitches for each."""

import os
from pathlib import Path

import numpy as np
import torch
from flask import Flask, request

INPUTS = (1, 1024, 128, 128, 128, 256)
OUTPUTS = (1024, 128, 128, 128, 256, 512)
FEATURES, PITCHES = 2048, 360


class Crepe(torch.nn.Module):
    """Six convolutions, each halved by pooling, and a classifier; names as in the published weights."""

    def __init__(self) -> None:
        super().__init__()
        for i, (inputs, outputs) in enumerate(zip(INPUTS, OUTPUTS, strict=True), start=1):
            kernel, stride = (512, 4) if i == 1 else (64, 1)
            setattr(self, f"conv{i}", torch.nn.Conv2d(inputs, outputs, (kernel, 1), (stride, 1)))
            setattr(self, f"conv{i}_BN", torch.nn.BatchNorm2d(outputs, eps=0.001))
        self.classifier = torch.nn.Linear(FEATURES, PITCHES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x[:, None, :, None]
        for i in range(1, len(OUTPUTS) + 1):
            pad = (0, 0, 254, 254) if i == 1 else (0, 0, 31, 32)
            x = getattr(self, f"conv{i}")(torch.nn.functional.pad(x, pad)).relu()
            x = torch.nn.functional.max_pool2d(getattr(self, f"conv{i}_BN")(x), (2, 1))
        return self.classifier(x.permute(0, 2, 1, 3).reshape(-1, FEATURES)).sigmoid()


model = Crepe()
model.load_state_dict(torch.load(Path(os.environ["MODEL"]), map_location="cpu", weights_only=True))
model.eval()
app = Flask(__name__)


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
def predict() -> dict[str, list[int]]:
    windows = torch.from_numpy(np.load(request.files["input"], allow_pickle=False))
    with torch.inference_mode():
        return {"pitches": model(windows).argmax(1).tolist()}
