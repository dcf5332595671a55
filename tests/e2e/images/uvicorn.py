"""What a program that starts uvicorn finds in the package of that name: here the stand-in's app."""

import runpy
import sys
from types import ModuleType, SimpleNamespace


def module(name: str, **content: object) -> None:
    """A module of that package."""
    made = sys.modules[f"uvicorn.{name}"] = ModuleType(name)
    vars(made).update(content)


module("main", main=lambda: runpy.run_path("/usr/local/bin/uvicorn", run_name="__main__"))
module("server", Server=SimpleNamespace(shutdown=None))
module("supervisors")
module("supervisors.multiprocess", Multiprocess=SimpleNamespace(terminate_all=None))
