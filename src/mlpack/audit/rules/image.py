"""The image: who runs in it, what it is made from, what should not be in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlpack.audit.deployment import MODEL_KINDS, Deployment, Dockerfile, Service
from mlpack.audit.dockerfile import build_arguments, environment
from mlpack.audit.finding import Hit, Rule
from mlpack.audit.rules.variables import is_secret

_ROOT = frozenset(["root", "0", "0:0", "root:root", "0:root"])
_CUDA_TAG = re.compile(r"nvidia/cuda:(\d+\.\d+)-")
_FULL_PYTHON = re.compile(r"(?:docker\.io/)?(?:library/)?python:3(?:\.\d+)*(?:-(?:bookworm|bullseye|trixie))?")
_WEIGHTS = re.compile(
    r"\.(h5|keras|safetensors|gguf|onnx|pth?|pkl|joblib)\b|(^|[\s\"'./])(weights|models)(/|[\s\"',]|$)"
)


_FLOATING = frozenset(["", "latest", "alpine", "slim", "stable", "lts"])
"""Tags that every release moves. Other words may be a project's own, moved on purpose."""
_OWN_USER = re.compile(
    r"(^|/)(nginx|httpd|haproxy|redis|valkey|postgres|mysql|mariadb|mongo|rabbitmq|prometheus|grafana|torchserve"
    r"|micromamba|airflow|nginx-unprivileged)([:@]|$)|(^|/)(bitnami|jupyter|chainguard)/|:[\w.-]*nonroot"
)
"""Bases whose image names a user of its own, or whose program leaves root behind as it starts (nginx's workers, the
databases' entry scripts): another USER on top of them breaks more than it mends."""


def _users(deployment: Deployment, dockerfile: Dockerfile) -> list[Service]:
    return [one for one in deployment.services if one.dockerfile and one.dockerfile.file == dockerfile.file]


def root(deployment: Deployment) -> Iterator[Hit]:
    """No USER, or root."""
    for dockerfile in deployment.dockerfiles:
        user = dockerfile.last("USER")
        if user is None and dockerfile.base is not None and _OWN_USER.search(dockerfile.base.text):
            continue
        users = _users(deployment, dockerfile)
        as_root = [one for one in users if one.user is None or one.user.text in _ROOT]
        if (user is None or user.text in _ROOT) and (as_root or not users):
            last = dockerfile.final[-1]
            loads = not users or any(one.program.kind in MODEL_KINDS for one in users)
            who = "a fault in a model's loader (pickle runs code)" if loads else "whoever breaks into it"
            yield Hit(
                (user or last).place,
                as_root[0].name if as_root else None,
                f"USER {user.text}" if user else "no USER: root",
                "a user of its own, and USER 10001:10001",
                f"{who} is root in the container, and on bind mounts",
            )


def _untagged(image: str) -> str:
    """Without tag; a registry's port is none."""
    folder, slash, name = image.rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def _floats(image: str) -> bool:
    """It has neither a version nor a digest. What a variable names is not known."""
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    return bool(image) and "@" not in image and "$" not in image and tag in _FLOATING


def base_unpinned(deployment: Deployment) -> Iterator[Hit]:
    """A base without a version, or an image that is pulled without one."""
    built = {one.image.text for one in deployment.services if one.builds and one.image is not None}
    for one in deployment.services:
        if one.image is not None and not one.builds and one.image.text not in built and _floats(one.image.text):
            yield Hit(
                one.image.place,
                one.name,
                f"image: {one.image.text}",
                f"image: {_untagged(one.image.text)}:VERSION",
                "what runs depends on the day it was pulled: two machines differ, and there is no way back",
            )
    for dockerfile in deployment.dockerfiles:
        base = dockerfile.base
        name = base.text if base else ""
        if base is not None and name != "scratch" and _floats(name):
            yield Hit(
                base.place,
                None,
                f"FROM {name}",
                f"FROM {_untagged(name)}:VERSION, as in python:3.11-slim-bookworm",
                "another day builds another image: a new Python has no wheels yet, and compiles or fails",
            )
        cuda = _CUDA_TAG.match(name.removeprefix("docker.io/"))
        if base is not None and cuda is not None:
            yield Hit(
                base.place,
                None,
                f"FROM {name}",
                f"a tag with its patch number: nvidia/cuda:{cuda[1]}.1-...",
                "tags of nvidia/cuda have three numbers; this one cannot be pulled",
                severity="error",
            )
        if base is not None and _FULL_PYTHON.fullmatch(name):
            yield Hit(base.place, None, f"FROM {name}", f"FROM {name}-slim", "about 0.9 GB of compilers", "note")


def cuda_on_cpu(deployment: Deployment) -> Iterator[Hit]:
    """CUDA's wheels in an image that never sees a card."""
    for one in deployment.services:
        said = one.libraries.get("torch")
        dockerfile = one.dockerfile
        if said is None or one.gpu or dockerfile is None or (dockerfile.base and "cuda" in dockerfile.base.text):
            continue
        text = (
            " ".join(line.text for line in dockerfile.all)
            + said.text
            + " ".join(v.text for v in one.libraries.values() if v)
        )
        if "whl/cpu" not in text and "+cpu" not in text:
            yield Hit(
                said.place,
                one.name,
                said.text,
                "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu for the install",
                "the plain wheel brings several GB of CUDA libraries; this service asks for no card",
            )


def secret_in_image(deployment: Deployment) -> Iterator[Hit]:
    """Secrets in layers."""
    for dockerfile in deployment.dockerfiles:
        for name, said in (build_arguments(dockerfile) | dict(environment(dockerfile))).items():
            if said.text and is_secret(name, said.text):
                yield Hit(
                    said.place,
                    None,
                    f"{name}=...",
                    "RUN --mount=type=secret",
                    "layers keep it: `docker history` shows it",
                )
        for line in dockerfile.final:
            words = line.text.replace('"', " ").replace(",", " ").split()
            if line.word in ("COPY", "ADD") and any(
                word.rsplit("/", 1)[-1] in (".env", ".netrc", "id_rsa") for word in words[:-1]
            ):
                yield Hit(
                    line.place,
                    None,
                    f"{line.word} {line.text}",
                    "env_file, or a secret",
                    "layers keep it for whoever pulls the image",
                )


def everything_copied(deployment: Deployment) -> Iterator[Hit]:
    """COPY . without a .dockerignore."""
    for dockerfile in deployment.dockerfiles:
        for line in dockerfile.final:
            words = [word for word in re.split(r"[\s\[\]\",]+", line.text) if word and not word.startswith("--")]
            is_own = "--from" not in line.text
            if line.word in ("COPY", "ADD") and words[:1] in (["."], ["./"]) and is_own and dockerfile.ignores is False:
                yield Hit(
                    line.place,
                    None,
                    f"{line.word} {line.text}, no .dockerignore",
                    "a .dockerignore: .git, venv, tests, data, weights, .env",
                    "history, data, weights and secrets of the folder become layers, and every edit rebuilds them",
                )
            elif line.word in ("COPY", "ADD") and is_own and _WEIGHTS.search(" ".join(words[:-1])):
                yield Hit(
                    line.place,
                    None,
                    f"{line.word} {line.text}",
                    "a read-only volume",
                    "weights in layers are pulled again with every release",
                    "note",
                )


def conda_ignored(deployment: Deployment) -> Iterator[Hit]:
    """A conda environment that no image is made from."""
    for file in deployment.conda:
        folder = file.rpartition("/")[0]
        made = [one for one in deployment.dockerfiles if one.file.startswith(folder)]
        if made and not any(re.search(r"conda|mamba", line.text) for one in made for line in one.all):
            worker = next(
                (one for one in deployment.services if one.program.kind in ("celery", "python") and one.dockerfile),
                None,
            )
            place = worker.dockerfile.final[0].place if worker and worker.dockerfile else made[0].final[0].place
            yield Hit(
                place,
                worker.name if worker else None,
                f"{file} is not used",
                "a stage that makes the environment with micromamba",
                "the real worker's packages (CUDA, compiled libraries) are named there and are missing in the image",
            )


FACTS = "docs/facts.md, "
RULES = (
    Rule("runs-as-root", "warning", "Runs as root", "Docker: building best practices, USER", root),
    Rule("base-unpinned", "warning", "An image without a version", FACTS + "names that do not exist", base_unpinned),
    Rule("cuda-on-cpu", "warning", "CUDA libraries without a GPU", FACTS + "PyTorch", cuda_on_cpu),
    Rule("secret-in-image", "error", "A secret in the image", "Docker: build secrets", secret_in_image),
    Rule("everything-copied", "warning", "The whole folder in the image", "Docker: .dockerignore", everything_copied),
    Rule(
        "conda-ignored", "warning", "A conda environment that no image uses", "conda: environment files", conda_ignored
    ),
)
