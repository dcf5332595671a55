"""The mri-pipeline example for tests: its image, its weights (trained there), a copy of it, and a client."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlpack.flow import gather, output_folder, produce
from mlpack.launchers.this_machine import host_network
from mlpack.lock import Lock
from mlpack.probe import probe
from mlpack.process import run
from mlpack.write import world_for_render, write

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "mri-pipeline"
IMAGE = "mlpack-test-mri:latest"
CLIENT = Path(__file__).parent / "mri_client.py"
LEFT_OUT = shutil.ignore_patterns("deploy", "__pycache__", ".venv", "data")


def app_image() -> str:
    """The example's image, built from the Dockerfile that is committed; its name."""
    network = host_network(dict(os.environ))
    words = ["docker", "build", "--quiet", "--tag", IMAGE, "--file", str(EXAMPLE / "deploy" / "prod" / "Dockerfile")]
    words += [f"--build-arg={key}={text}" for key, text in network.args.items()]
    words += [f"--build-context=wheels={network.wheels}"] if network.wheels else []
    run([*words, str(EXAMPLE)], timeout_s=900)
    return IMAGE


def trained(image: str) -> None:
    """The example's weights are there: trained in its own image where they are not."""
    if (EXAMPLE / "weights" / "knee.safetensors").is_file():
        return
    mount = f"type=bind,source={EXAMPLE},target=/opt/mri-pipeline"
    words = ["docker", "run", "--rm", "--user", f"{os.getuid()}:{os.getgid()}", "--mount", mount]
    run([*words, image, "python", "make_model.py"], timeout_s=600)


VERIFY = "verify: {concurrency: 4, requests: 40}\n"


def project(folder: Path, profiles: tuple[str, ...], more: str = "", *, requests: int = 40) -> Lock:
    """A copy of the example in ``folder`` with ``more`` at the end of its mlpack.yaml, rendered for this machine;
    ``requests``: how many verify sends."""
    shutil.copytree(EXAMPLE, folder, ignore=LEFT_OUT, dirs_exist_ok=True)
    path = folder / "mlpack.yaml"
    text = path.read_text(encoding="utf-8")
    assert VERIFY in text
    path.write_text(text.replace(VERIFY, VERIFY.replace("40", str(requests))) + more, encoding="utf-8")
    gathered = gather(folder, profiles)
    world, _ = world_for_render(
        None, gathered.spec.models, gathered.present, probed=lambda: probe(folder), reprobe=False, host=None
    )
    made = produce(gathered, world)
    write(output_folder(folder, profiles), None, made.lock, made.artifacts)
    return made.lock


def ask(prefix: Sequence[str], *words: str, timeout_s: float = 150.0) -> list[dict[str, Any]]:
    """What the client program says, a JSON value a line; ``prefix`` runs it where the system is (docker exec ...)."""
    done = run([*prefix, "python3", "-c", CLIENT.read_text(encoding="utf-8"), *words], timeout_s=timeout_s)
    return [json.loads(line) for line in done.stdout.splitlines()]
