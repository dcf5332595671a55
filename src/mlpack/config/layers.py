"""Which layers a spec is made of: built-in profiles, mlpack.yaml, chosen profiles, ``--set``, lowest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from itertools import combinations
from pathlib import Path, PurePosixPath

from mlpack import project
from mlpack.config.normalise import choices_hint
from mlpack.config.read import read_yaml
from mlpack.config.tree import Branch, Leaf, Mark, Origin, Tree
from mlpack.errors import SpecError, UsageError

BUILT_IN = ("dev", "prod", "gpu")
OWN_PROFILES = "mlpack's own profiles"
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Layers:
    """Trees to merge, lowest first; ``unused`` are those of mlpack.yaml's profiles that were not chosen."""

    trees: tuple[Tree, ...]
    unused: dict[str, Tree]
    sources: tuple[Path, ...]


def read_layers(root: Path, profiles: Sequence[str], sets: Sequence[str]) -> Layers:
    """Everything that ``profiles`` and ``sets`` bring together over ``root``'s mlpack.yaml.

    Raises SpecError for files that cannot be meant, UsageError for names and settings that do not exist.
    """
    path = root / project.SPEC_FILE
    if not path.is_file():
        raise SpecError(f"there is no {project.SPEC_FILE}", where=str(root), hint="run `mlpack init` to write one")
    base, own = _split(read_mapping(project.read_bytes(path), project.SPEC_FILE, "user"))
    built_in: dict[str, Branch] = {}
    chosen: list[Tree] = []
    sources = [path]
    for name in profiles:
        if name.endswith(_SUFFIXES):
            file, tree = _profile_file(root, name)
            sources.append(file)
            chosen.append(tree)
            continue
        if name not in BUILT_IN and name not in own:
            hint = choices_hint(name, [*BUILT_IN, *own])
            raise UsageError(f"there is no profile {name!r}", where=project.SPEC_FILE, hint=hint)
        if name in BUILT_IN:
            built_in[name] = _built_in(name)
        if name in own:
            chosen.append(own[name])
    _refuse_contradictions(built_in)
    trees = (*built_in.values(), base, *chosen, *(_setting(text) for text in sets))
    unused = {name: tree for name, tree in own.items() if name not in profiles}
    return Layers(trees, unused, tuple(sources))


def _line(file: str, line: int) -> str:
    return f"{file}:{line}"


def read_mapping(raw: bytes, shown: str, origin: Origin) -> Branch:
    """The mapping that ``raw`` holds; ``shown`` is the file's name in messages. Raises SpecError."""
    tree = read_yaml(raw, partial(_line, shown), origin)
    if not isinstance(tree, Branch):
        hint = "it begins with lines like `name: my-app`"
        raise SpecError("the file is not a mapping", where=tree.mark.where, hint=hint)
    return tree


def _built_in(name: str) -> Branch:
    raw = resources.files("mlpack").joinpath("profiles", f"{name}.yaml").read_bytes()
    return read_mapping(raw, f"{OWN_PROFILES}/{name}.yaml", "profile")


def _refuse_contradictions(built_in: dict[str, Branch]) -> None:
    """dev and prod say opposite things of one machine. A project's own profiles are there to change others."""
    for first, second in combinations(built_in, 2):
        for path, one in _leaves(built_in[first]):
            other = dict(_leaves(built_in[second])).get(path)
            if other is not None and other.text != one.text:
                raise UsageError(
                    f"the profiles {first} and {second} contradict each other: {path} is {one.text} in one and "
                    f"{other.text} in the other",
                    where=f"{one.mark.where} and {other.mark.where}",
                    hint=f"choose one; what differs between machines goes into a file of its own: {second} edge.yaml",
                )


def _leaves(tree: Tree, path: str = "") -> Iterator[tuple[str, Leaf]]:
    if isinstance(tree, Leaf):
        yield path, tree
    elif isinstance(tree, Branch):
        for key, value in tree.items.items():
            yield from _leaves(value, f"{path}.{key}".lstrip("."))


def _profile_file(root: Path, name: str) -> tuple[Path, Branch]:
    given = Path(name)
    relative = given.relative_to(root.absolute()).as_posix() if given.is_relative_to(root.absolute()) else name
    path = project.resolve(root, relative)
    if not path.is_file():
        raise UsageError(
            f"there is no profile file {name!r}", where=str(root), hint="its path is relative to mlpack.yaml"
        )
    return path, read_mapping(project.read_bytes(path), str(PurePosixPath(relative)), "profile")


def _split(tree: Branch) -> tuple[Branch, dict[str, Tree]]:
    """mlpack.yaml without its ``profiles:``, and those, marked as profiles."""
    profiles = tree.items.get("profiles")
    base = Branch({key: value for key, value in tree.items.items() if key != "profiles"}, tree.mark)
    if profiles is None or (isinstance(profiles, Leaf) and not profiles.text):
        return base, {}
    if not isinstance(profiles, Branch):
        where = f"{profiles.mark.where} profiles"
        raise SpecError(
            "wants a mapping of names", where=where, hint="write `profiles: {small: {budget: {memory: 2G}}}`"
        )
    return base, {name: _as_profile(value) for name, value in profiles.items.items()}


def _as_profile(tree: Tree) -> Tree:
    """``tree`` with every mark's origin a profile; an empty profile is an empty mapping."""
    mark = Mark(tree.mark.where, "profile", tree.mark.key)
    if isinstance(tree, Leaf):
        empty = not tree.quoted and not tree.text
        return Branch({}, mark) if empty else Leaf(tree.text, tree.quoted, mark)
    if isinstance(tree, Branch):
        return Branch({key: _as_profile(value) for key, value in tree.items.items()}, mark, tree.size)
    return type(tree)(tuple(_as_profile(item) for item in tree.items), mark, tree.size)


def _setting(text: str) -> Tree:
    """``a.b.c=value`` as a tree of its own; the value is YAML."""
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(
            f"--set {text!r} sets nothing", where="--set", hint="write it like --set services.web.workers=2"
        )
    mark = Mark("--set", "user")
    tree: Tree = (
        read_yaml(value.encode("utf-8", "surrogatepass"), lambda _: "--set", "user")
        if value.strip()
        else Leaf("", False, mark)
    )
    for key in reversed(keys):
        tree = Branch({key: tree}, mark)
    return tree
