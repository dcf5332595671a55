"""``python -m mlpack`` is the ``mlpack`` command."""

from mlpack.cli import main

main()
