"""What a person sees: results on stdout, progress and errors on stderr. Alone (with cli) in knowing rich."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mlpack.errors import MlpackError

if TYPE_CHECKING:
    from rich.console import Console

Align = Literal["left", "right"]


def out() -> Console:
    """The console of results. Piped output is not folded to 80 columns: a reader greps whole lines."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)


def say(text: str) -> None:
    """One line of result."""
    sys.stdout.write(text + "\n")


def progress(text: str) -> None:
    """One line about what is going on, on stderr, so that stdout stays the result."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def heading(text: str) -> None:
    """A heading above a table or a list."""
    from rich.text import Text

    out().print(Text(text, style="bold"))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[Align] = ()) -> None:
    """Rows under columns; ``align`` per column, left where it is not given. Text is shown as it is, never as markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, name in enumerate(columns):
        grid.add_column(name, justify=align[index] if index < len(align) else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    out().print(grid)


def show_error(error: MlpackError) -> None:
    """What, where and what to do, on stderr."""
    sys.stderr.write(f"mlpack: error: {error}\n")


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
