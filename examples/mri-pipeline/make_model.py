"""Trains the model for a few seconds on made-up knees and writes weights/knee.safetensors."""

from pathlib import Path

import numpy
import torch
from backend.network import UNet, neighbours
from phantom import knee
from safetensors.torch import save_file

HERE = Path(__file__).parent
STEPS, KNEES = 90, 12


def main() -> None:
    torch.set_num_threads(1)  # the same numbers everywhere, and no waiting where cores are shared
    torch.manual_seed(7)
    pairs = [knee(seed) for seed in range(100, 100 + KNEES)]
    slices = numpy.concatenate([neighbours(image.astype(numpy.float32)) for image, _ in pairs])
    truth = numpy.concatenate([mask for _, mask in pairs]).astype(numpy.float32)
    model = UNet().train()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    draw = numpy.random.default_rng(7)
    for _ in range(STEPS):
        chosen = draw.integers(0, len(slices), 6)
        wanted = torch.from_numpy(truth[chosen])
        logits = model(torch.from_numpy(slices[chosen]))[:, 0]
        likely = logits.sigmoid()
        overlap = 1 - (2 * (likely * wanted).sum() + 1) / (likely.sum() + wanted.sum() + 1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted) + overlap
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    (HERE / "weights").mkdir(exist_ok=True)
    state = {name: value.contiguous() for name, value in model.eval().state_dict().items()}
    weights = HERE / "weights" / "knee.safetensors"
    save_file(state, weights)
    weights.chmod(0o644)  # it is made for its owner only; services run as another user
    print(f"weights/knee.safetensors: {sum(v.numel() for v in state.values()):,} numbers, last loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
