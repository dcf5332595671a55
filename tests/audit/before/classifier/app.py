"""One Ray actor per model."""

import ray
import torch

ray.init()
app = torch
