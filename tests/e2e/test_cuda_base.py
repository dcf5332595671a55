"""The rendered Dockerfile on NVIDIA's base, built for real; the images themselves are stand-ins with their names.

What it proves: Python arrives, what is compiled finds torch and the cards' architectures, and the compiler's stage is
left behind. What it cannot: that NVIDIA's images are as their Dockerfiles say, and anything of a card.
"""

from __future__ import annotations

import os
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from tests.artifacts import write_files
from tests.planner.build import GUNICORN
from tests.planner.gpu_build import card, model, plan_on, with_cards

from mlpack.host import GpuSetFacts
from mlpack.launchers.this_machine import host_network
from mlpack.process import run

pytestmark = pytest.mark.engine
PYTHON = "python:3.11-slim-bookworm"
TAG = "mlpack-cuda-base-test:prod"
SETUP = """
import os, torch
from setuptools import setup
os.makedirs("compiled_for", exist_ok=True)
with open("compiled_for/__init__.py", "w") as file:
    file.write(f"FOR = {[os.environ['TORCH_CUDA_ARCH_LIST'], os.environ['MAX_JOBS'], torch.HERE]!r}")
setup(name="causal-conv1d", version="0.0.1", packages=["compiled_for"])
"""


def sdist(folder: Path, name: str, files: dict[str, str]) -> None:
    """A source package as pip takes it."""
    with tarfile.open(folder / f"{name}-0.0.1.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{name}-0.0.1/{path}")
            member.size = len(text.encode())
            archive.addfile(member, BytesIO(text.encode()))


def test_it_builds_and_keeps_no_compiler(tmp_path: Path) -> None:
    cards = GpuSetFacts(cuda="13.0", devices=(card(24),))
    requirements = ("torch==0.0.1+cu128", "causal_conv1d==0.0.1", "gunicorn")
    build = {"requirements": "requirements.txt", "wheelhouse": "wheels"}
    service = {"web": {**GUNICORN, "device": "gpu"}}
    plan = plan_on(with_cards(cards), service, info=model(1e8, "F32"), requirements=requirements, build=build)
    write_files(plan, tmp_path)
    (tmp_path / "requirements.txt").write_text("torch==0.0.1\ncausal_conv1d==0.0.1\ngunicorn\n")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    made = "from setuptools import setup\nsetup(name='torch', version='0.0.1', py_modules=['torch'])\n"
    sdist(wheels, "torch", {"setup.py": made, "torch.py": "HERE = 'torch was here'\n"})
    sdist(wheels, "causal_conv1d", {"setup.py": SETUP})

    base, compiler = "nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04", "nvidia/cuda:12.8.1-cudnn-devel-ubuntu24.04"
    here = run(("docker", "image", "inspect", base, compiler), check=False).code == 0
    if not here:
        mark = f'FROM {PYTHON}\nRUN touch /compiler\nENTRYPOINT ["/no/such"]\nCMD []\n'
        (tmp_path / "stand-in").write_text(mark)
        run(("docker", "tag", PYTHON, base))
        run(("docker", "build", "--quiet", "--tag", compiler, "--file", str(tmp_path / "stand-in"), str(wheels)))
    try:
        arguments = [f"--build-arg={name}={text}" for name, text in host_network(dict(os.environ)).args.items()]
        words = ("docker", "build", "--quiet", "--build-context", f"wheels={wheels}", "--tag", TAG)
        run((*words, *arguments, "--file", str(tmp_path / "deploy/prod/Dockerfile"), str(tmp_path)), timeout_s=500)
        ask = "import compiled_for, os; print(compiled_for.FOR, os.path.exists('/compiler'), os.getuid())"
        said = run(("docker", "run", "--rm", "--read-only", TAG, "python", "-c", ask)).stdout
        assert said.strip() == "['8.6', '4', 'torch was here'] False 10001"
    finally:
        run(("docker", "image", "rm", "--force", TAG, *(() if here else (base, compiler))), check=False)
