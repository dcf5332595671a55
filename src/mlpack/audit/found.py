"""What lies in the folders of a deployment: libraries that are named, model files in reach, gunicorn's own settings."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mlpack.audit.deployment import Dockerfile, KnownModel, Program, Service
from mlpack.audit.imported import imported
from mlpack.audit.place import Place, Said
from mlpack.errors import MlpackError, ModelFileError
from mlpack.estimate import estimate_path
from mlpack.formats import inspect
from mlpack.model import ModelInfo
from mlpack.runtimes import RUNTIMES
from mlpack.runtimes.libraries import distribution
from mlpack.write.lockfile import read_lock

OTHERS = ("celery", "ray", "flask", "django", "fastapi", "gunicorn", "uvicorn", "onnxruntime-gpu")
"""Packages beside the runtimes that rules ask for."""
MODEL_SUFFIXES = frozenset(
    [
        *(".safetensors", ".gguf", ".onnx", ".keras", ".h5", ".hdf5", ".pt", ".pth", ".pb", ".joblib", ".ubj"),
        *(".bin", ".pkl"),
    ]
)
MOST_MODELS = 40


def find_libraries(
    folder: Path, files: Sequence[PurePosixPath], dockerfile: Dockerfile | None, program: Program, shown: str
) -> Mapping[str, Said | None]:
    """Libraries that the requirements in ``folder`` or the image's own ``pip install`` name, with the line; of those
    that run models the ones that the program imports, where its module is in reach."""
    packages: dict[str, str] = {
        package: name for name, runtime in RUNTIMES.items() for package in runtime.FACTS.packages
    }
    packages |= {name: name for name in OTHERS} | {"tensorflow-cpu": "tensorflow", "tf-keras": "tensorflow"}
    found: dict[str, Said | None] = {}

    def look(line: str, place: Place) -> None:
        name = distribution(line)
        if name in packages:
            found.setdefault(packages[name], Said(line.strip(), place))

    for file in files:
        if len(file.parts) <= 2 and file.name.startswith("requirements") and file.suffix in (".txt", ".in"):
            for number, line in enumerate(_lines(folder / str(file)), 1):
                look(line, Place(str(PurePosixPath(shown) / file), number))
    for one in dockerfile.final if dockerfile else ():
        if one.word == "RUN" and "install" in one.text:
            for word in re.split(r"[\s'\"]+", one.text):
                look(word, one.place)
    app = program.app or (program.options["app"].text if "app" in program.options else "")
    used = imported(folder, app, everywhere=program.kind == "celery")
    if used is None:
        return found
    return {name: said for name, said in found.items() if name not in RUNTIMES or _is_used(name, used)}


def _is_used(name: str, used: frozenset[str]) -> bool:
    modules = {module.partition(".")[0] for module in RUNTIMES[name].FACTS.modules}  # type: ignore[index]
    return bool(modules & used) or (name == "torch" and "transformers" in used)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[:2000]
    except OSError:
        return []


def find_models(folder: Path, context: Path | None, service: Service, unread: list[str]) -> tuple[KnownModel, ...]:
    """Model files that the service can read: in its mounts, else in the folder it is built from."""
    roots = [folder / source for source, _, _ in service.volumes if source[:1] in (".", "/", "~")]
    files: list[Path] = []
    for root in roots or ([context] if context else []):
        files += [path for path in _model_files(root) if path not in files]
    found: list[KnownModel] = []
    for path in files[:MOST_MODELS]:
        try:
            found += _known(path.name, inspect(path))
        except ModelFileError as error:
            if path.suffix not in (".bin", ".pkl", ".pb"):
                unread.append(str(error).splitlines()[0])
    if not found:
        for name, info in _locked(folder, service.name):
            found += _known(name, info)
    if not found and service.runtimes:
        unread.append(f"{service.name}: no model file in reach, so its weights are not in the sums")
    return tuple(found)


def _known(name: str, info: ModelInfo) -> list[KnownModel]:
    """What a process holds of the model, where its runtime is clear."""
    one = estimate_path(info)
    regions = [region for region in (one.footprint.regions if one.footprint else ()) if region.stage == "load"]
    held = [region for region in regions if region.per == "process" and region.kind != "mapped"]
    if one.runtime is None:
        return []
    low, high = sum(region.lower_bytes for region in held), sum(region.bytes for region in held)
    return [KnownModel(name, one.runtime, low, high)]


def _locked(folder: Path, service: str) -> list[tuple[str, ModelInfo]]:
    """The models of a service as mlpack's lock beside the files remembers them: weights are seldom in a checkout."""
    try:
        lock = read_lock(folder)
    except MlpackError:
        return []
    if lock is None or service not in lock.plan.spec.services:
        return []
    infos = lock.world.models
    return [(name, infos[name]) for name in lock.plan.spec.services[service].models if name in infos]


def _model_files(root: Path) -> list[Path]:
    if root.is_file():
        return [root] if root.suffix in MODEL_SUFFIXES else []
    found: list[Path] = []
    for number, path in enumerate(sorted(root.rglob("*")) if root.is_dir() else []):
        if number > 20_000 or len(found) >= MOST_MODELS:
            break
        if path.suffix in MODEL_SUFFIXES and path.is_file() and "site-packages" not in path.parts:
            found.append(path)
    return found


def gunicorn_settings(folder: Path, program: Program, shown: str) -> Program:
    """``program`` with what its gunicorn settings file says as constants; the command line wins."""
    said = program.options.get("config")
    name = said.text.removeprefix("file:") if said else "gunicorn.conf.py"
    if program.kind != "gunicorn":
        return program
    parts = PurePosixPath(name).parts
    for start in range(len(parts)):  # /app/deploy/x.py in the image is deploy/x.py in the folder
        path = folder.joinpath(*parts[start:])
        if not PurePosixPath(*parts[start:]).is_absolute() and path.is_file():
            shown_file = str(PurePosixPath(shown) / PurePosixPath(*parts[start:]))
            return replace(program, options={**_constants(path, shown_file), **program.options})
    return program


def _constants(path: Path, shown: str) -> dict[str, Said]:
    found = {}
    try:
        tree = ast.parse("\n".join(_lines(path)))
    except (SyntaxError, ValueError, RecursionError):
        return {}
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        ):
            name = {"preload_app": "preload"}.get(node.targets[0].id, node.targets[0].id.replace("_", "-"))
            if name != "preload" or node.value.value is True:
                found[name] = Said(str(node.value.value), Place(shown, node.lineno))
    return found
