# mypy: ignore-errors
"""The nets of torch_app, and what they are asked: an encoder of 85M parameters and a convolutional net of 24M."""

import torch
from torch import nn

SHAPES = {"encoder": (128, 768), "convnet": (3, 224, 224)}


def encoder():
    """Twelve layers of width 768, as BERT-base has without its vocabulary."""
    layer = nn.TransformerEncoderLayer(768, 12, 3072, batch_first=True)
    return nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)


def convnet():
    """Plain 3 x 3 convolutions, halved five times; most weights at 14 x 14 and below."""
    layers, channels = [], 3
    for width, repeat in ((64, 2), (128, 2), (256, 3), (512, 4), (768, 2)):
        for _ in range(repeat):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000))


NETS = {"encoder": encoder, "convnet": convnet}


def inputs(net, seed, batch):
    """The same numbers for the same seed, always."""
    return torch.randn((batch, *SHAPES[net]), generator=torch.Generator().manual_seed(seed))
