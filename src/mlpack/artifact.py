"""Artifact: one file to be written. Rendering makes artifacts; only ``write`` touches the disk."""

from __future__ import annotations

from mlpack.noun import Noun


class Artifact(Noun):
    """A rendered file: ``path`` relative to the output folder, text with ``\\n`` line ends, permission bits."""

    path: str
    text: str
    mode: int = 0o644
