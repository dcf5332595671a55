"""Makes weights/: both models, trained on drawn pictures, in a few seconds; the same each time."""

import random
from pathlib import Path

import lightgbm
import numpy as np
import torch
from clip import Clip
from eyes import LABELS, draw, features
from safetensors.torch import save_file

WEIGHTS = Path(__file__).parent / "weights"
PICTURES, EPOCHS, BATCH = 1200, 2, 32


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` pictures and their labels' numbers, each label as often as any other."""
    rng = random.Random(seed)
    labels = [index % len(LABELS) for index in range(count)]
    return np.stack([np.asarray(draw(LABELS[label], rng)) for label in labels]), np.array(labels)


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # enough, and the same sums in the same order on every machine
    torch.use_deterministic_algorithms(True)
    x, y = pictures(PICTURES, 1)
    test_x, test_y = pictures(400, 2)
    clip = Clip()
    optimizer = torch.optim.AdamW(clip.parameters(), lr=1e-3)
    for epoch in range(EPOCHS):
        for part in torch.randperm(PICTURES).split(BATCH):
            loss = torch.nn.functional.cross_entropy(clip(torch.from_numpy(x[part])), torch.from_numpy(y[part]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}")
    with torch.inference_mode():
        right = (clip(torch.from_numpy(test_x)).argmax(1).numpy() == test_y).mean()
    print(f"clip: {right:.1%} of 400 new pictures right")
    WEIGHTS.mkdir(exist_ok=True)
    save_file(clip.state_dict(), WEIGHTS / "clip.safetensors")
    (WEIGHTS / "clip.safetensors").chmod(0o644)  # made for its owner alone; containers read it as another user

    data = lightgbm.Dataset(np.stack([features(picture) for picture in x]), y)
    settings = {"objective": "multiclass", "num_class": len(LABELS), "verbose": -1, "deterministic": True, "seed": 0}
    settings |= {"num_leaves": 15, "force_row_wise": True, "num_threads": 1}
    trees = lightgbm.train(settings, data, num_boost_round=60)
    guesses = trees.predict(np.stack([features(picture) for picture in test_x]), num_threads=1)
    print(f"trees: {(guesses.argmax(1) == test_y).mean():.1%} of 400 new pictures right")
    trees.save_model(WEIGHTS / "trees.txt")


if __name__ == "__main__":
    main()
