"""Puts rendered files on the disk: idempotent, owned, checked. The lock decides what is ours; nobody's edit is lost.

The order of use: ``read_lock``, ``world_for_render``, plan and render (elsewhere), a new ``Lock`` with
``artifact_hashes`` and ``input_hashes``, then ``write``, or ``preview`` with ``diff`` or ``check``.
"""

from __future__ import annotations

from mlpack.write.apply import preview, refusal, write
from mlpack.write.changes import Changes, Refusal, decide
from mlpack.write.check import CheckOutcome, check, no_lock
from mlpack.write.diff import diff
from mlpack.write.hashes import artifact_hashes, hash_text, input_hashes
from mlpack.write.lockfile import read_lock
from mlpack.write.single import replace_file
from mlpack.write.world import world_for_render

__all__ = [
    "Changes",
    "CheckOutcome",
    "Refusal",
    "artifact_hashes",
    "check",
    "decide",
    "diff",
    "hash_text",
    "input_hashes",
    "no_lock",
    "preview",
    "read_lock",
    "refusal",
    "replace_file",
    "world_for_render",
    "write",
]
