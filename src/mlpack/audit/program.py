"""A command line to a Program: shells and wrappers looked through, options by their long names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from mlpack.audit.deployment import Program
from mlpack.audit.place import Place, Said

KINDS: Mapping[str, str] = {  # program -> kind
    "gunicorn": "gunicorn",
    "uvicorn": "uvicorn",
    "fastapi": "uvicorn",
    "celery": "celery",
    "ollama": "ollama",
    "llama-server": "llama-server",
    "redis-server": "redis",
    "postgres": "postgres",
    "nginx": "nginx",
    "ray": "ray",
}
SHORT: Mapping[str, Mapping[str, str]] = {  # kind -> short option -> long one
    "gunicorn": {
        **{"w": "workers", "b": "bind", "t": "timeout", "k": "worker-class", "c": "config", "D": "daemon"},
    },
    "uvicorn": {},
    "celery": {"c": "concurrency", "P": "pool", "A": "app", "O": "optimization", "Q": "queues", "n": "hostname"},
}
FLAGS = frozenset(
    ["preload", "reload", "daemon", "without-gossip", "without-mingle", "without-heartbeat", "events", "head", "block"]
)
"""Options without a value."""
_WRAPPERS = frozenset(["exec", "tini", "dumb-init", "uv", "poetry", "pipenv", "run", "nice", "--", "env", "time", "-g"])
_SHELLS = frozenset(["sh", "bash", "ash", "dash"])
IMAGES: Mapping[str, str] = {  # last part of an image's name -> kind of its own command
    "ollama": "ollama",
    "redis": "redis",
    "valkey": "redis",
    "postgres": "postgres",
    "nginx": "nginx",
    "flower": "flower",
}


def read_program(words: Sequence[str], place: Place, image: str | None, variables: Mapping[str, str]) -> Program:
    """What ``words`` start; without words, what ``image`` is known to start. Never raises."""
    argv = _unwrapped(list(words))
    argv = [_filled(word, variables) for word in argv]
    name = argv[0].rsplit("/", 1)[-1] if argv else ""
    text = " ".join(words)
    own = IMAGES.get((image or "").split("@")[0].rsplit("/", 1)[-1].split(":")[0], "other")
    if not argv or name.startswith("-") or (name not in KINDS and own != "other"):
        return Program(own, place, text or (image or ""), _options(argv, own, place))
    kind = KINDS.get(name, "python" if name.startswith("python") else "other")
    if kind == "celery" and "flower" in argv:
        kind = "flower"
    elif kind == "celery" and "beat" in argv and "worker" not in argv:
        kind = "other"
    rest = argv[1:]
    app = next((word for word in rest if ":" in word and not word.startswith("-") and "/" not in word), None)
    if app is not None and not app.split(":")[0].replace(".", "").replace("_", "").isalnum():
        app = None
    return Program(kind, place, text, _options(rest, kind, place), app)


def split(text: str) -> list[str]:
    """A shell's words, the last command of a chain; best effort where quotes do not match."""
    try:
        return shlex.split(text, comments=False)
    except ValueError:
        return text.split()


def _unwrapped(argv: list[str]) -> list[str]:
    for _ in range(6):
        if not argv:
            return argv
        name = argv[0].rsplit("/", 1)[-1]
        if name in _SHELLS and any(word.startswith("-") and word.endswith("c") for word in argv[1:3]):
            script = next((word for word in argv[2:] if not word.startswith("-")), "")
            argv = split(script.replace("\n", " && "))
        elif name in _WRAPPERS or ("=" in name and not name.startswith("-")):
            argv = argv[1:]
        elif name.startswith("python") and argv[1:2] == ["-m"]:
            argv = argv[2:]
        elif name.startswith("python") and argv[1:] and argv[1].endswith("_uvicorn.py"):
            argv = ["uvicorn", *argv[2:]]  # rendered by mlpack: uvicorn's own command line
        elif any(word in ("&&", ";", "||") for word in argv):
            last = max(index for index, word in enumerate(argv) if word in ("&&", ";", "||"))
            argv = argv[last + 1 :] or argv[:last]
        else:
            return argv
    return argv


def _filled(word: str, variables: Mapping[str, str]) -> str:
    """A shell's ``$NAME`` and ``${NAME:-default}`` where the value is known."""
    from mlpack.audit.nodes import interpolate

    return interpolate(word, variables) or word


def _options(argv: Sequence[str], kind: str, place: Place) -> dict[str, Said]:
    short = SHORT.get(kind, {})
    found: dict[str, Said] = {}
    words = list(argv)
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
        elif word.startswith("-") and len(word) > 1 and word[1] in short:
            name, equals, value = short[word[1]], word[2:], word[2:].lstrip("=")
        elif kind == "celery" and "=" in word and "." in word:  # after --: task.acks_late=true
            name, equals, value = word.partition("=")[0], "=", word.partition("=")[2]
        else:
            continue
        if not equals and name not in FLAGS and index < len(words) and not words[index].startswith("--"):
            value = words[index]
            index += 1
        found[name] = Said(value, place)
    return found
