"""The model: a small 2.5-D U-Net. It sees a slice with its neighbours and says which pixels are cartilage."""

from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file
from torch import nn

BATCH = 8
"""Slices at once: with MAX_SIDE the largest input that memory is planned for (mlpack.yaml's max_input)."""
WIDTH = 8


def _block(inside: int, outside: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inside, outside):
        layers += [nn.Conv2d(before, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Three slices in, one map of logits out; sides must be multiples of 4."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.down1, self.down2 = _block(3, width), _block(width, 2 * width)
        self.bottom = _block(2 * width, 4 * width)
        self.up2, self.up1 = _block(6 * width, 2 * width), _block(3 * width, width)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        fine = self.down1(slices)
        middle = self.down2(nn.functional.max_pool2d(fine, 2))
        coarse = self.bottom(nn.functional.max_pool2d(middle, 2))
        middle = self.up2(torch.cat([_doubled(coarse), middle], 1))
        return self.out(self.up1(torch.cat([_doubled(middle), fine], 1)))


def _doubled(maps: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(maps, scale_factor=2.0)


def load(path: Path) -> UNet:
    """The trained model, ready to be asked."""
    model = UNet()
    model.load_state_dict(load_file(path))
    return model.eval()


def neighbours(volume: numpy.ndarray) -> numpy.ndarray:
    """Every slice with the one before and after it: (slices, 3, rows, columns), intensities made comparable."""
    low, high = numpy.percentile(volume, [1, 99])
    scaled = (volume - low) / max(high - low, 1e-6)
    padded = numpy.pad(scaled, ((1, 1), (0, 0), (0, 0)), mode="edge").astype(numpy.float32)
    return numpy.stack([padded[:-2], padded[1:-1], padded[2:]], axis=1)


def segment(model: UNet, volume: numpy.ndarray) -> numpy.ndarray:
    """The mask of ``volume`` (slices, rows, columns) as uint8."""
    slices, rows, columns = volume.shape
    inputs = neighbours(volume)
    inputs = numpy.pad(inputs, ((0, 0), (0, 0), (0, -rows % 4), (0, -columns % 4)), mode="edge")
    mask = numpy.empty(volume.shape, dtype=numpy.uint8)
    with torch.inference_mode():
        for start in range(0, slices, BATCH):
            logits = model(torch.from_numpy(inputs[start : start + BATCH]))[:, 0, :rows, :columns]
            mask[start : start + BATCH] = (logits > 0).numpy()
    return mask
