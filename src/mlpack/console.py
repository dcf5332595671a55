"""What a person sees: results on stdout, progress and errors on stderr. Alone (with cli) in knowing rich."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from mlpack.errors import MlpackError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Align = Literal["left", "right"]
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def out() -> Console:
    """The console of results. Piped output is not folded to 80 columns: a reader greps whole lines."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)


def emit(text: str) -> None:
    """Text on stdout. When the reader went away (| head) the rest is dropped: the exit code stays the command's own."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def harmless(text: str) -> str:
    """``text`` without what a terminal would obey: names come from model files, which anybody may have written."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def say(text: str) -> None:
    """One line of result."""
    emit(text + "\n")


def show(renderable: RenderableType) -> None:
    """Something of rich's, on stdout."""
    console = out()
    with console.capture() as captured:
        console.print(renderable)
    emit("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def progress(text: str) -> None:
    """One line about what is going on, on stderr, so that stdout stays the result."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def heading(text: str) -> None:
    """A heading above a table or a list."""
    from rich.text import Text

    show(Text(harmless(text), style="bold"))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[Align] = ()) -> None:
    """Rows under columns; ``align`` per column, left where it is not given. Text is shown as it is, never as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        grid.add_column(name, justify=align[index] if index < len(align) else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(harmless(cell)) for cell in row))
    show(grid)


def facts_list(sections: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> None:
    """Names and values under section headings, all values in one column."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column()
    grid.add_column(overflow="fold")
    for section, lines in sections:
        grid.add_row(Text(harmless(section), style="bold"), Text())
        for name, value in lines:
            grid.add_row(Text(harmless(f"  {name}")), Text(harmless(value)))
    show(grid)


def show_error(error: MlpackError) -> None:
    """What, where and what to do, on stderr."""
    sys.stderr.write(f"mlpack: error: {harmless(str(error))}\n")


def show_bug(error: Exception) -> None:
    """A fault of mlpack's own: one line, and where the details are. MLPACK_DEBUG=1 prints the stack."""
    if os.environ.get("MLPACK_DEBUG"):
        traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - no import for one name
    sys.stderr.write(
        f"mlpack: this is a bug in mlpack: {type(error).__name__}: {error} (at {place})\n"
        "  hint: run it again with MLPACK_DEBUG=1 and report what it prints\n"
    )
