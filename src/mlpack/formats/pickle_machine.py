"""The stack machine of pickles, on descriptions: what each instruction does to stack, marks and memo."""

from __future__ import annotations

from typing import Any

from mlpack.errors import ModelFileError
from mlpack.formats.pickle_source import Cursor
from mlpack.formats.pickle_values import Called, Named, Payload, TooLong, Visitor
from mlpack.formats.reading import failed

MOST_KEPT = 150_000
"""Values on the stack and in the memo."""
MOST_TEXT_BYTES = 8 * 2**20
KEPT_CHARACTERS = 256
KEPT_KEYS = 32
KEPT_ITEMS = 64


class Machine:
    """The state of a walk. Every method is one instruction, or a part of several."""

    def __init__(self, cursor: Cursor, visitor: Visitor) -> None:
        self.cursor, self.visitor = cursor, visitor
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.kept = 0
        self.text_bytes = 0

    def damaged(self, what: str) -> ModelFileError:
        return failed(self.cursor.path, f"{what} (near byte {self.cursor.position:,})", "the file is damaged")

    def number(self, width: int) -> int:
        return int.from_bytes(self.cursor.take(width), "little")

    def push(self, value: Any) -> None:
        self.stack.append(value)
        self.kept += 1
        if self.kept - len(self.memo) > MOST_KEPT:
            self.kept = len(self.memo) + len(self.stack) + sum(len(part) + 1 for part in self.marks)
            if self.kept > MOST_KEPT:
                raise TooLong

    def remember(self, index: int) -> None:
        if len(self.memo) >= MOST_KEPT:
            raise TooLong
        self.memo[index] = self.stack[-1]

    def text(self, length: int) -> None:
        if length > KEPT_CHARACTERS:
            self.cursor.skip(length)
            self.push(None)
            return
        self.text_bytes += length
        if self.text_bytes > MOST_TEXT_BYTES:
            raise TooLong
        self.push(self.cursor.take(length).decode("utf-8", errors="replace"))

    def payload(self, length: int) -> None:
        self.cursor.skip(length)
        self.push(Payload(length))

    def long(self, length: int) -> None:
        if length > KEPT_CHARACTERS:
            self.payload(length)
        else:
            self.push(int.from_bytes(self.cursor.take(length), "little", signed=True))

    def line(self) -> None:
        self.push(self.cursor.line().decode("utf-8", errors="replace")[:KEPT_CHARACTERS])

    def line_number(self) -> None:
        line = self.cursor.line(KEPT_CHARACTERS).rstrip(b"L")
        self.push({b"00": False, b"01": True}.get(line, int(line)))

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.kept += 1
        if len(self.marks) > MOST_KEPT:
            raise TooLong
        self.stack = []

    def to_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def pack(self, count: int) -> None:
        items = tuple(self.stack[len(self.stack) - count :])
        if len(items) < count:
            raise IndexError
        if count:
            del self.stack[-count:]
        self.push(items)

    def pack_marked(self) -> None:
        items = self.to_mark()
        self.push(tuple(items) if len(items) <= KEPT_ITEMS else None)

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a name is no text")
        found = Named(module[:KEPT_CHARACTERS], name[:KEPT_CHARACTERS])
        self.visitor.named(found)
        self.push(found)

    def name_line(self) -> None:
        module = self.cursor.line().decode("utf-8", errors="replace")
        self.name(module, self.cursor.line().decode("utf-8", errors="replace"))

    def name_stacked(self) -> None:
        name = self.stack.pop()
        self.name(self.stack.pop(), name)

    def call(self) -> None:
        arguments = self.stack.pop()
        what = self.stack.pop()
        if isinstance(what, Named):
            given = arguments if isinstance(arguments, tuple) else ()
            self.push(self.visitor.called(Called(what, given)))
        else:
            self.push(None)

    def call_keyed(self) -> None:
        self.stack.pop()
        self.call()

    def call_marked(self) -> None:
        items = self.to_mark()
        self.push(Called(items[0], tuple(items[1:])) if items and isinstance(items[0], Named) else None)

    def instance(self) -> None:
        self.name_line()
        what = self.stack.pop()
        items = self.to_mark()
        self.push(Called(what, tuple(items[:KEPT_ITEMS])))

    def build(self) -> None:
        state = self.stack.pop()
        self.visitor.built(self.stack[-1], state, self.cursor)

    def dictionary(self) -> None:
        items = self.to_mark()
        self.push({})
        self.store(items)

    def store(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=False):
                if isinstance(key, str) and len(target) < KEPT_KEYS:
                    target[key] = value

    def store_one(self) -> None:
        value = self.stack.pop()
        self.store([self.stack.pop(), value])

    def drop_all(self) -> None:
        self.to_mark()

    def drop_marked(self) -> None:
        self.to_mark()
        if not self.stack:
            raise IndexError  # there must be something to add to

    def group(self) -> None:
        self.to_mark()
        self.push(None)

    def unknown(self, width: int) -> None:
        self.cursor.skip(width)
        self.push(None)

    def unknown_line(self) -> None:
        self.cursor.line()
        self.push(None)

    def drop(self) -> None:
        self.stack.pop()

    def nothing(self) -> None:
        pass

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.to_mark()
