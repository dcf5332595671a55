"""A Dockerfile's instructions with their lines; the last stage and those it rests on apart from the others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from mlpack.audit.deployment import Dockerfile, Instruction
from mlpack.audit.nodes import interpolate
from mlpack.audit.place import Place, Said
from mlpack.errors import SpecError

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_]\w*)\1")
_WORDS = frozenset(
    [
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    ]
)
_FROM = re.compile(r"^(?:--\S+\s+)*(\S+)(?:\s+as\s+(\S+))?\s*$", re.IGNORECASE)


def read_dockerfile(
    text: str, file: str, *, target: str | None = None, ignores: bool | None = None, args: Mapping[str, str] = {}
) -> Dockerfile:
    """The Dockerfile in ``text``, built to ``target`` with ``args``. Raises SpecError where it is none."""
    found = _instructions(text, file)
    variables = dict(_assignments([one for one in _before_from(found) if one.word == "ARG"])) | dict(args)
    stages: list[tuple[str | None, Said | None, list[Instruction]]] = []
    for one in found:
        if one.word == "FROM":
            match = _FROM.match(one.text)
            if match is None:
                raise SpecError(f"FROM {one.text}: no image", where=str(one.place))
            image = interpolate(match[1], variables)
            said = Said(image, one.place) if image else None
            stages.append((match[2].lower() if match[2] else None, said, [one]))
        elif stages:
            stages[-1][2].append(one)
    if not stages:
        raise SpecError("no FROM in it: not a Dockerfile", where=file, hint="name the compose file first")
    names = [name for name, _, _ in stages]
    last = names.index(target.lower()) if target and target.lower() in names else len(stages) - 1
    chain = [*stages[last][2]]
    base, seen = stages[last][1], {last}
    while base is not None and base.text.lower() in names:
        index = names.index(base.text.lower())
        if index in seen:
            break
        seen.add(index)
        chain = [*stages[index][2], *chain]
        base = stages[index][1]
    return Dockerfile(file, tuple(found), tuple(chain), base, ignores)


def _before_from(found: list[Instruction]) -> list[Instruction]:
    index = next((index for index, one in enumerate(found) if one.word == "FROM"), len(found))
    return found[:index]


def _instructions(text: str, file: str) -> list[Instruction]:
    lines = text.splitlines()
    found: list[Instruction] = []
    index = 0
    while index < len(lines):
        start, line = index, lines[index].strip()
        index += 1
        if not line or line.startswith("#"):
            continue
        parts = []
        while line.endswith("\\") and index < len(lines):
            parts.append(line[:-1].rstrip())
            line = lines[index].strip()
            index += 1
            while line.startswith("#") and index < len(lines):
                line = lines[index].strip()
                index += 1
        parts.append(line.removesuffix("\\"))
        word, _, rest = " ".join(parts).partition(" ")
        if word.upper() not in _WORDS:
            hint = "an instruction like FROM, RUN or COPY belongs here"
            raise SpecError(f"{word[:40]!r} is no Dockerfile instruction", where=f"{file}:{start + 1}", hint=hint)
        if word.upper() in ("RUN", "COPY", "ADD"):
            for _, end in _HEREDOC.findall(rest):
                while index < len(lines) and lines[index].strip() != end:
                    rest += " && " + lines[index].strip()
                    index += 1
                index += 1
        found.append(Instruction(word.upper(), rest.strip(), Place(file, start + 1)))
    return found


def environment(dockerfile: Dockerfile) -> dict[str, Said]:
    """What ENV of the image's stages sets."""
    found: dict[str, Said] = {}
    for one in dockerfile.final:
        if one.word == "ENV":
            found |= {name: Said(value, one.place) for name, value in _assignments([one])}
    return found


def build_arguments(dockerfile: Dockerfile) -> dict[str, Said]:
    """What ARG declares, with its default; empty text without one."""
    return {
        name: Said(value, one.place)
        for one in dockerfile.all
        if one.word == "ARG"
        for name, value in _assignments([one])
    }


def _assignments(instructions: list[Instruction]) -> list[tuple[str, str]]:
    found = []
    for one in instructions:
        pairs = re.findall(r"([A-Za-z_]\w*)=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?:[^\s\\]|\\.)*)", one.text)
        if not pairs:
            name, _, value = one.text.partition(" ")
            pairs = [(name, value.strip())]
        found += [(name, value[1:-1] if value[:1] in ('"', "'") else value) for name, value in pairs]
    return found


def words(instruction: Instruction | None) -> list[str]:
    """The words of CMD, ENTRYPOINT or HEALTHCHECK's CMD: the JSON form, or a shell's."""
    if instruction is None:
        return []
    text = instruction.text
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            return ["sh", "-c", text]
        return [str(word) for word in found] if isinstance(found, list) else []
    return ["sh", "-c", text] if text else []
