"""The project's sample files, read once and kept: a load of 200 requests sends the same bytes 200 times."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from mlpack.errors import MlpackError


class Files:
    """Samples and expected answers below the project ``root``. Raises MlpackError naming the file and the fault."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bytes = cache(self._bytes)
        self.json = cache(self._json)

    def _bytes(self, path: str) -> bytes:
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise MlpackError(
                f"cannot be read: {error.strerror}", where=path, hint="the requests of mlpack.yaml name this file"
            ) from error

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self.bytes(path))
        except (ValueError, RecursionError) as error:
            raise MlpackError(f"is not JSON: {error}", where=path) from error

    def text(self, path: str) -> str:
        """The file as UTF-8 text."""
        try:
            return self.bytes(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise MlpackError(
                "is not UTF-8 text", where=path, hint="send binary files as `file: {field: path}`"
            ) from error
