"""What the instructions of a pickle say, as plain values: names, calls and payloads, none of them looked up or run."""

from __future__ import annotations

from typing import Any, NamedTuple

from mlpack.formats.pickle_source import Cursor


class Named(NamedTuple):
    """A class or function that the pickle names; it is not looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Payload(NamedTuple):
    """Bytes that were passed over."""

    size: int


class Called(NamedTuple):
    """What calling ``what`` with ``arguments`` would give."""

    what: Named
    arguments: tuple[Any, ...]


class TooLong(Exception):
    """More instructions or values than are followed."""


class Visitor:
    """What a reader wants to know. Values are None, bool, int, str, tuple, dict, Named, Payload, Called or its own."""

    def named(self, what: Named) -> None:
        """The pickle names a class or function."""

    def persistent(self, identity: Any) -> Any:  # noqa: ARG002
        """The value for an object kept outside of the pickle."""
        return None

    def called(self, call: Called) -> Any:
        """The value of a call; the call itself by default."""
        return call

    def built(self, value: Any, state: Any, cursor: Cursor) -> None:
        """``value`` is given its state; joblib puts raw arrays behind this instruction."""
