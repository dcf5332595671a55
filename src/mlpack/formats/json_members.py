"""A long JSON object read member by member, a batch at a time: a header of any length takes the same little memory.

A batch is cut behind a member's value and parsed whole by the json module. A cut inside of a string or a nested value
leaves an opening that its added brace cannot close, so that it never parses by mistake. Who knows how members usually
look can take whole batches of them by a quicker way than that module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlpack.formats.reading import failed, parsed_json, refuse_constant, unique_pairs
from mlpack.units import KIB, MIB

BATCH_BYTES = 256 * KIB
MEMBER_BYTES = MIB
"""The longest single member: metadata, never a tensor."""
CUT = re.compile(rb'[}"\]\d]\s*(,)\s*"')
WHITE = b" \t\n\r"
"""White space of JSON."""
START = re.compile(rb"\s*\{")
CUT_WITHIN = 4 * KIB
PLAIN = json.JSONDecoder(parse_constant=refuse_constant)
STRICT = json.JSONDecoder(object_pairs_hook=unique_pairs, parse_constant=refuse_constant)
"""Refuses keys that occur twice, at twice the time."""


class Members:
    """The members of an object whose bytes ``read`` gives, ``what`` in messages. They are hashed, ``before`` first.

    ``once``: keys, in quotes, that every member has once. Without them nobody looks for keys that occur twice.
    ``take``: is shown the text of some members first; True: it has counted them and wants no batch of them.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        path: Path,
        what: str,
        *,
        before: bytes = b"",
        once: tuple[bytes, ...] = (),
        take: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._read, self._path, self._what, self._take = read, path, what, take
        self._digest = sha256(before)
        self._once = once
        self.rest = b""
        """What follows the object, once all its members were given."""

    def hexdigest(self) -> str:
        """SHA-256 of all bytes that were read."""
        return self._digest.hexdigest()

    def more(self, count: int = BATCH_BYTES) -> bytes:
        """The next bytes; none at the end."""
        found = self._read(count)
        self._digest.update(found)
        return found

    def batches(self, begun: bytes = b"") -> Iterator[dict[str, Any]]:
        """Members in order, some at a time. ``begun``: bytes already read, of which the first is the brace."""
        held = begun or self.more()
        start = START.match(held)
        if start is None:
            raise failed(self._path, f"{self._what} is not a JSON object", "fetch it again")
        held, closed = held[start.end() :], None
        while closed is None and (new := self.more()):
            held += new
            batch, cut = self._cut(held)
            if batch is not None:
                held = held[cut:]
                yield batch
                continue
            closed = self._closed(held)
            if closed is None and len(held) > MEMBER_BYTES:
                raise failed(self._path, f"{self._what} has a member of more than {MEMBER_BYTES:,} bytes")
        closed = closed or self._closed(held)
        if closed is None:
            parsed_json(b"{" + held, self._path, self._what)  # says what is wrong with it
            raise failed(self._path, f"{self._what} is not valid JSON", "fetch it again")
        self.rest = closed[1]
        yield closed[0]

    def _cut(self, held: bytes) -> tuple[dict[str, Any] | None, int]:
        """The members before the last place where one may end, and where the next begins."""
        places = [match.start(1) for match in CUT.finditer(held, max(0, len(held) - CUT_WITHIN))][-3:][::-1]
        for place in places:  # within a member the parser would only see so at its end, after all the others
            if self._taken(held[:place]):
                return {}, place + 1
        for place in places:
            try:
                return self._object(b"{" + held[:place] + b"}"), place + 1
            except ValueError:
                continue
        return None, 0

    def _taken(self, members: bytes) -> bool:
        try:
            return self._take(members.decode("utf-8"))
        except UnicodeDecodeError:
            return False

    def _closed(self, held: bytes) -> tuple[dict[str, Any], bytes] | None:
        """The members up to the object's end and the bytes after it; None where it does not end in ``held``."""
        whole = held.rstrip(WHITE)
        if whole.endswith(b"}") and self._taken(whole[:-1]):
            return {}, b""
        try:
            text = "{" + held.decode("utf-8")
            found, end = PLAIN.raw_decode(text)
            if self._doubtful(held, found):
                found, end = STRICT.raw_decode(text)
        except (ValueError, RecursionError):
            return None
        return found, text[end:].encode("utf-8")

    def _object(self, text: bytes) -> dict[str, Any]:
        try:
            found: dict[str, Any] = PLAIN.decode(text.decode("utf-8"))
            if self._doubtful(text, found):
                found = STRICT.decode(text.decode("utf-8"))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        return found

    def _doubtful(self, text: bytes, found: dict[str, Any]) -> bool:
        """Some key may occur twice: the keys that every member has once are not as many as there are members."""
        return any(text.count(key) != len(found) for key in self._once)
