"""What a check is: one question about a deployment, in a module with these three members."""

from __future__ import annotations

from typing import Protocol

from mlpack.verify.run import Answer, Run


class Check(Protocol):
    """A module of ``checks/``."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """Its name in reports; stable."""

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802
        """Checks that must have passed; else this one is skipped, with the reason."""

    def check(self, run: Run) -> Answer:
        """Ask the question. An MlpackError raised here is a failed check; TransientError ends the verification."""
