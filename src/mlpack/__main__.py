"""The ``mlpack`` command, also as ``python -m mlpack``."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; Ctrl-C while it is still being imported ends quietly too."""
    try:
        from mlpack.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("mlpack: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
