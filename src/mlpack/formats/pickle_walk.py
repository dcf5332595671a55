"""Walks a pickle's instructions without running any: names are noted, calls become descriptions, nothing is imported.

Instructions and their arguments are those of the pickle protocol, versions 0 to 5 (Lib/pickletools.py documents them).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpack.formats.pickle_machine import KEPT_CHARACTERS, Machine
from mlpack.formats.pickle_source import Cursor
from mlpack.formats.pickle_values import TooLong, Visitor

MOST_STEPS = 450_000
"""Instructions that are followed, in a fifth of a second: a checkpoint of 10,000 tensors has 400,000."""
STOP = 0x2E


def walk(cursor: Cursor, visitor: Visitor) -> Any:
    """Follow one pickle to its end and return its value's description. Raises ModelFileError, TooLong, Ended."""
    machine, byte, steps = Machine(cursor, visitor), cursor.byte, STEPS.get
    try:
        for _ in range(MOST_STEPS):
            code = byte()
            if code == STOP:
                return machine.stack[-1] if machine.stack else None
            step = steps(code)
            if step is None:
                raise machine.damaged(f"has an unknown instruction {code:#04x} in its pickle")
            step(machine)
    except (IndexError, ValueError) as error:
        raise machine.damaged("has a pickle whose instructions make no sense") from error
    raise TooLong


def _constant(value: Any) -> Callable[[Machine], None]:
    return lambda walk: walk.push(value)


def _skip(width: int) -> Callable[[Machine], None]:
    return lambda walk: walk.cursor.skip(width)


STEPS: dict[int, Callable[[Machine], None]] = {
    ord("("): Machine.mark,
    ord("0"): Machine.pop,
    ord("1"): Machine.drop_all,
    ord("2"): lambda w: w.push(w.stack[-1]),
    ord("F"): Machine.unknown_line,
    ord("I"): Machine.line_number,
    ord("L"): Machine.line_number,
    ord("J"): lambda w: w.push(int.from_bytes(w.cursor.take(4), "little", signed=True)),
    ord("K"): lambda w: w.push(w.cursor.byte()),
    ord("M"): lambda w: w.push(w.number(2)),
    ord("N"): _constant(None),
    ord("P"): lambda w: w.push(w.visitor.persistent(w.cursor.line().decode("utf-8", errors="replace"))),
    ord("Q"): lambda w: w.push(w.visitor.persistent(w.stack.pop())),
    ord("R"): Machine.call,
    ord("S"): Machine.line,
    ord("V"): Machine.line,
    ord("T"): lambda w: w.text(w.number(4)),
    ord("U"): lambda w: w.text(w.cursor.byte()),
    ord("X"): lambda w: w.text(w.number(4)),
    ord("a"): Machine.drop,
    ord("b"): Machine.build,
    ord("c"): Machine.name_line,
    ord("d"): Machine.dictionary,
    ord("}"): lambda w: w.push({}),
    ord("e"): Machine.drop_marked,
    ord("g"): lambda w: w.push(w.memo.get(int(w.cursor.line(KEPT_CHARACTERS)))),
    ord("h"): lambda w: w.push(w.memo.get(w.cursor.byte())),
    ord("j"): lambda w: w.push(w.memo.get(w.number(4))),
    ord("i"): Machine.instance,
    ord("l"): Machine.group,
    ord("]"): _constant(None),
    ord("o"): Machine.call_marked,
    ord("p"): lambda w: w.remember(int(w.cursor.line(KEPT_CHARACTERS))),
    ord("q"): lambda w: w.remember(w.cursor.byte()),
    ord("r"): lambda w: w.remember(w.number(4)),
    ord("s"): Machine.store_one,
    ord("t"): Machine.pack_marked,
    ord(")"): _constant(()),
    ord("u"): lambda w: w.store(w.to_mark()),
    ord("G"): lambda w: w.unknown(8),
    ord("B"): lambda w: w.payload(w.number(4)),
    ord("C"): lambda w: w.payload(w.cursor.byte()),
    0x80: _skip(1),  # PROTO
    0x81: Machine.call,  # NEWOBJ
    0x82: lambda w: w.unknown(1),  # EXT1, 2, 4
    0x83: lambda w: w.unknown(2),
    0x84: lambda w: w.unknown(4),
    0x85: lambda w: w.pack(1),
    0x86: lambda w: w.pack(2),
    0x87: lambda w: w.pack(3),
    0x88: _constant(True),
    0x89: _constant(False),
    0x8A: lambda w: w.long(w.cursor.byte()),
    0x8B: lambda w: w.long(w.number(4)),
    0x8C: lambda w: w.text(w.cursor.byte()),
    0x8D: lambda w: w.text(w.number(8)),
    0x8E: lambda w: w.payload(w.number(8)),
    0x8F: _constant(None),
    0x90: Machine.drop_marked,
    0x91: Machine.group,
    0x92: Machine.call_keyed,
    0x93: Machine.name_stacked,
    0x94: lambda w: w.remember(len(w.memo)),
    0x95: _skip(8),  # FRAME
    0x96: lambda w: w.payload(w.number(8)),
    0x97: _constant(None),
    0x98: Machine.nothing,
}
