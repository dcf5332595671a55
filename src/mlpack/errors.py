"""What can go wrong, once: every error says what, where and what to do, and carries its exit code."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The process's exit status; a CI step can act on it without reading text."""

    OK = 0
    FAILED = 1
    """Will not change on retry: bad spec, does not fit, a check failed, output is stale."""
    USAGE = 2
    """The command line or the lock cannot be used."""
    BUG = 3
    """A fault of mlpack itself."""
    NOT_PROVEN = 4
    """verify: nothing failed, but this machine lacks the planned cards, so that the answer is open."""
    TRANSIENT = 75
    """Try again: engine down, pull failed, port taken (EX_TEMPFAIL)."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM."""


class MlpackError(Exception):
    """An expected failure. ``what`` happened, ``where`` (file, line, dotted path), and the ``hint`` that mends it."""

    exit_code: ExitCode = ExitCode.FAILED

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  hint: {self.hint}" if self.hint else head


class SpecError(MlpackError):
    """mlpack.yaml, a profile or a ``--set`` says something that cannot be meant."""


class ModelFileError(MlpackError):
    """A model file is missing, truncated, or not what its name says."""


class DoesNotFit(MlpackError):
    """No plan fits the host; the message holds the whole sum.

    ``needed_bytes`` is what all services need at the very least, ``host_bytes`` the memory of a host that has it;
    both None where it is not memory that is missing.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        needed_bytes: int | None = None,
        host_bytes: int | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.needed_bytes = needed_bytes
        self.host_bytes = host_bytes


class VerifyError(MlpackError):
    """Verification could not run to its end (a *failed check* is a report, not an exception)."""


class StaleError(MlpackError):
    """Rendered files differ from what render would write, or would overwrite someone's edits."""


class UsageError(MlpackError):
    """The command line asks for something impossible."""

    exit_code = ExitCode.USAGE


class LockError(MlpackError):
    """mlpack.lock is damaged, or of another schema version."""

    exit_code = ExitCode.USAGE


class TransientError(MlpackError):
    """The world was not ready: engine down, port taken, pull failed. The same call may work later."""

    exit_code = ExitCode.TRANSIENT
