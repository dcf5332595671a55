"""Joins modules of mlpack into one program text, for a Python that has no mlpack (a container's, a project's).

The modules joined import nothing but the standard library and one another.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

_PRELUDE = """\
import sys, types
def _package(name):
    parent = ""
    for part in name.split("."):
        full = parent + "." + part if parent else part
        if full not in sys.modules:
            sys.modules[full] = types.ModuleType(full)
            sys.modules[full].__path__ = []
            if parent: setattr(sys.modules[parent], part, sys.modules[full])
        parent = full
def _load(name, source):
    _package(name)
    module = sys.modules[name]
    exec(compile(source, "<" + name + ">", "exec"), module.__dict__)
    return module
def _clear():
    for name in [name for name in sys.modules if name.split(".")[0] == "mlpack"]:
        del sys.modules[name]
"""


def bundle(modules: Sequence[str], call: str) -> str:
    """A program that defines ``modules`` in their order (full names, dependencies first) and then runs ``call``.

    In ``call`` the last module is known as ``main_module``. The stand-ins for mlpack's packages are taken out again
    before it runs, so that an app which itself uses mlpack imports the real one.
    """
    loads = "".join(f"main_module = _load({name!r}, {_source(name)!r})\n" for name in modules)
    clear = (
        "for _name in [n for n in sys.modules if n == 'mlpack' or n.startswith('mlpack.')]: del sys.modules[_name]\n"
    )
    return f"{_PRELUDE}{loads}{clear}{call}\n"


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(module)
    return Path(spec.origin).read_text(encoding="utf-8")


def snapshot_program() -> str:
    """The program for ``python -c`` that prints the processes around it, for ``snapshot.from_json``."""
    return bundle(("mlpack.meter.smaps", "mlpack.meter.snapshot"), "sys.exit(main_module.main(sys.argv[1:]))")
