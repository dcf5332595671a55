"""A small model of CLIP's kind: a picture and a sentence are near to each other where they say the same."""

from itertools import pairwise

import torch
from torch import nn

WORDS = ("an", "eye", "that", "looks", "to", "the", "centre", "left", "right", "is", "closed")
SENTENCES = {
    "centre": "an eye that looks to the centre",
    "closed": "an eye that is closed",
    "left": "an eye that looks to the left",
    "right": "an eye that looks to the right",
}
WIDTH = 64


def tokens(sentence: str) -> torch.Tensor:
    """Numbers of the words of ``sentence``."""
    return torch.tensor([WORDS.index(word) for word in sentence.split()])


class Clip(nn.Module):
    """Two towers into one space of WIDTH dimensions, and the temperature of their cosines."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (3, 16, 32, 64, 128)
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(4, b), nn.GELU())
            for a, b in pairwise(sizes)
        ]
        # the place on the picture matters: flattened, not averaged
        self.picture = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128 * 16, WIDTH))
        self.word = nn.Embedding(len(WORDS), WIDTH)
        self.sentence = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def sentences(self) -> torch.Tensor:
        """Unit vectors of SENTENCES, in the order of the labels."""
        means = torch.stack([self.word(tokens(SENTENCES[label])).mean(0) for label in sorted(SENTENCES)])
        return nn.functional.normalize(self.sentence(means), dim=1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Log-odds of each sentence for ``pictures``: bytes of shape [batch, side, side, 3]."""
        values = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        seen = nn.functional.normalize(self.picture(values), dim=1)
        return self.scale.exp() * seen @ self.sentences().T
