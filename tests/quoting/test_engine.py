"""The real readers: Docker Compose (files and env files) and Docker's builder, with texts that break naive spelling."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.quoting.hostile import EXAMPLES, LINE, LINES

from mlpack.process import run
from mlpack.quoting.compose import compose
from mlpack.quoting.dockerfile import docker_argv, docker_copy, docker_word
from mlpack.quoting.dockerignore import dockerignore
from mlpack.quoting.env_file import env_line
from mlpack.quoting.sh import sh_words

pytestmark = pytest.mark.engine


def compose_reads(folder: Path, values: list[str], variables: list[str]) -> tuple[list[str], list[str]]:
    """``values`` as a command and ``variables`` as an env file, as Compose understands them."""
    lines = [env_line((f"V{index}", text)) for index, text in enumerate(variables)]
    (folder / "it.env").write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = f"name: quoting\nservices:\n  it:\n    image: x\n    env_file: [it.env]\n    command: {compose(values)}\n"
    (folder / "compose.yaml").write_text(text, encoding="utf-8")
    said = run(["docker", "compose", "--file", str(folder / "compose.yaml"), "config", "--format", "json"]).stdout
    it = json.loads(said)["services"]["it"]
    # what `config` prints can be read again as a compose file: it doubles every dollar
    command = [word.replace("$$", "$") for word in it["command"] or []]
    read = it.get("environment", {})
    return command, [read[f"V{index}"].replace("$$", "$") for index in range(len(variables))]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(LINES, min_size=10, max_size=20), variables=st.lists(LINE, min_size=10, max_size=20))
def test_compose_reads_back(values: list[str], variables: list[str], tmp_path: Path) -> None:
    assert compose_reads(tmp_path, values, variables) == (values, variables)


def test_compose_reads_examples_back(tmp_path: Path) -> None:
    examples = list(EXAMPLES)
    assert compose_reads(tmp_path, examples, examples) == (examples, examples)


FILE_NAMES = [name for name in EXAMPLES if name.strip() and "/" not in name]
PRINT = (
    "import json, os, sys; print(json.dumps([dict(os.environ), os.getcwd(), sorted(os.listdir('.')), sys.argv[1:]]))"
)
WORKDIR = "/opt/a $b \"c\" 'd' \\e"


@pytest.fixture
def image() -> Iterator[str]:
    """A name for an image of this test only, removed afterwards."""
    name = f"mlpack-test-{uuid.uuid4().hex[:12]}"
    yield name
    run(["docker", "image", "rm", "--force", name], check=False)


def test_the_builder_reads_back(image: str, tmp_path: Path) -> None:
    """ENV, WORKDIR, COPY, RUN and CMD of one image, and an ignore file that leaves out half of the files."""
    for name in FILE_NAMES:
        (tmp_path / name).write_text("kept", encoding="utf-8")
        (tmp_path / f"{name}.left out").write_text("x", encoding="utf-8")
    lines = ["FROM python:3.11-slim-bookworm"]
    lines += [f"ENV V{index}={docker_word(text)}" for index, text in enumerate(EXAMPLES)]
    lines += [f"WORKDIR {docker_word(WORKDIR)}"]
    lines += [f"COPY {docker_copy([name, './'])}" for name in FILE_NAMES]
    lines += ['COPY [".", "/everything/"]']
    lines += [f"RUN printf '%s\\n' {sh_words(EXAMPLES)} > /words"]
    lines += [f"CMD {docker_argv(['python', '-c', PRINT, *EXAMPLES])}"]
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("\n".join(lines) + "\n", encoding="utf-8")
    ignored = [dockerignore(f"{name}.left out") for name in FILE_NAMES]
    (tmp_path / "Dockerfile.dockerignore").write_text("\n".join(ignored) + "\n", encoding="utf-8")

    run(["docker", "build", "--quiet", "--tag", image, "--file", str(dockerfile), str(tmp_path)])

    environ, folder, files, argv = json.loads(run(["docker", "run", "--rm", image]).stdout)
    assert [environ[f"V{index}"] for index in range(len(EXAMPLES))] == list(EXAMPLES)
    assert folder == WORKDIR
    assert files == sorted(FILE_NAMES)
    assert argv == list(EXAMPLES)
    words = run(["docker", "run", "--rm", image, "cat", "/words"]).stdout
    assert words.split("\n")[:-1] == list(EXAMPLES)
    lister = "import json, os; print(json.dumps(os.listdir('/everything')))"
    everything = json.loads(run(["docker", "run", "--rm", image, "python", "-c", lister]).stdout)
    assert sorted(everything) == sorted([*FILE_NAMES, "Dockerfile", "Dockerfile.dockerignore"])
