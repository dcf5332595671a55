"""Makes weights/unet.keras: a small U-Net, trained for about a minute on pictures that cells.py draws.

Seeds are fixed. Other processors round differently, so that the weights are not the same everywhere to the last bit;
their file has the same layout everywhere, and what it answers is checked against the drawn truth.
"""

import os
import sys
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["TF_USE_LEGACY_KERAS"] = "0"

import keras
import numpy as np
from keras import layers

from cells import draw

TARGET = Path(__file__).parent / "weights" / "unet.keras"
SEED = 20
SIDE, PATCH, PICTURES = 320, 128, 40
BATCH, STEPS = 8, 220
WIDTHS = (12, 24, 48, 96)
GOOD_IOU = 0.93
SAVED = (2026, 1, 1, 0, 0, 0)
"""The time that the archive's entries carry: the same weights are the same file."""


def convolutions(values: object, width: int, name: str) -> object:
    for part in ("a", "b"):
        values = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"{name}{part}")(values)
        values = layers.BatchNormalization(momentum=0.9, name=f"{name}{part}_norm")(values)
        values = layers.Activation("relu", name=f"{name}{part}_relu")(values)
    return values


def network() -> keras.Model:
    """(batch, height, width, 3), values 0-255, height and width multiples of 8 -> (batch, height, width, 1), 0-1."""
    picture = keras.Input((None, None, 3), name="picture")
    values = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(picture)
    skips = []
    for level, width in enumerate(WIDTHS[:-1]):
        values = convolutions(values, width, f"down{level}")
        skips.append(values)
        values = layers.MaxPooling2D(name=f"pool{level}")(values)
    values = convolutions(values, WIDTHS[-1], "middle")
    for level in reversed(range(len(skips))):
        values = layers.Conv2DTranspose(WIDTHS[level], 2, strides=2, name=f"up{level}")(values)
        values = layers.Concatenate(name=f"join{level}")([values, skips[level]])
        values = convolutions(values, WIDTHS[level], f"up{level}_")
    mask = layers.Conv2D(1, 1, activation="sigmoid", name="mask")(values)
    return keras.Model(picture, mask, name="unet")


def batches(random: np.random.Generator):
    """Patches, turned and mirrored, for ever."""
    drawn = [draw(1000 + number, SIDE) for number in range(PICTURES)]
    while True:
        pictures, masks = [], []
        for _ in range(BATCH):
            picture, mask = drawn[random.integers(PICTURES)]
            top, left = random.integers(0, SIDE - PATCH, 2)
            patch = (slice(top, top + PATCH), slice(left, left + PATCH))
            turns, mirror = random.integers(4), 1 if random.random() < 0.5 else -1
            pictures.append(np.rot90(picture[patch], turns)[:, ::mirror])
            masks.append(np.rot90(mask[patch], turns)[:, ::mirror])
        yield np.stack(pictures).astype("float32"), np.stack(masks)[..., None].astype("float32")


def iou(model: keras.Model, seeds: range) -> float:
    """Intersection over union on pictures that were not trained on."""
    both = either = 0
    for seed in seeds:
        picture, truth = draw(seed, 256)
        found = model.predict_on_batch(picture[None].astype("float32"))[0, :, :, 0] > 0.5
        both += int((found & truth).sum())
        either += int((found | truth).sum())
    return both / either


def save(model: keras.Model, target: Path) -> None:
    """As Keras saves it, with fixed times in the archive; whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name("draft.keras")
    model.save(draft)
    with zipfile.ZipFile(draft) as saved, zipfile.ZipFile(target.with_name("new"), "w") as new:
        for entry in saved.infolist():
            new.writestr(zipfile.ZipInfo(entry.filename, SAVED), saved.read(entry))
    draft.unlink()
    target.with_name("new").replace(target)


def main() -> int:
    if TARGET.is_file():
        return 0
    keras.utils.set_random_seed(SEED)
    model = network()
    pace = keras.optimizers.schedules.CosineDecay(6e-3, STEPS)
    model.compile(keras.optimizers.Adam(pace), "binary_crossentropy")
    source = batches(np.random.default_rng(SEED))
    for step in range(1, STEPS + 1):
        loss = model.train_on_batch(*next(source))
        if step % 20 == 0 or step == 1:
            print(f"step {step} of {STEPS}: mean loss {float(loss):.4f}", flush=True)
    reached = iou(model, range(1, 5))
    print(f"{model.count_params():,} parameters; IoU {reached:.3f} on pictures it has not seen")
    if reached < GOOD_IOU:
        print(f"that is less than {GOOD_IOU}: the weights are not kept", file=sys.stderr)
        return 1
    save(keras.Model(model.input, model.output, name="unet"), TARGET)  # without the optimiser's state
    print(f"weights are in {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
