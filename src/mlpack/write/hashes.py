"""How content is recognised: SHA-256 of text with ``\\n`` line ends, so that a checkout with CRLF is no edit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from mlpack.artifact import Artifact
from mlpack.errors import MlpackError


def hash_bytes(content: bytes) -> str:
    """SHA-256 (hex) of ``content`` with CRLF read as LF."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def hash_text(text: str) -> str:
    """SHA-256 (hex) of ``text`` as UTF-8 with CRLF read as LF; surrogates stand for undecodable bytes."""
    return hash_bytes(text.encode("utf-8", "surrogateescape"))


def artifact_hashes(artifacts: Iterable[Artifact]) -> dict[str, str]:
    """Path -> hash of each artifact, sorted by path: the lock's ``files``."""
    return {artifact.path: hash_text(artifact.text) for artifact in sorted(artifacts, key=lambda a: a.path)}


def input_hashes(root: Path, files: Iterable[str]) -> dict[str, str]:
    """File -> hash of each of ``files`` (relative to the project ``root``), sorted: the lock's ``inputs``.

    A file that does not exist is left out, so that its coming and going is seen. Raises MlpackError where one
    exists and cannot be read.
    """
    hashes = {}
    for name in sorted(set(files)):
        try:
            hashes[name] = hash_bytes((root / name).read_bytes())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MlpackError(f"cannot be read: {error.strerror}", where=name) from error
    return hashes
