"""Time limits that Celery tasks state themselves, read from the app's modules as syntax; nothing is imported or run."""

from __future__ import annotations

import ast
from pathlib import Path, PurePosixPath

from mlpack.init.code import Module, keyword, read_modules, text
from mlpack.planner.task_limits import TaskLimit

MAX_MODULES = 200
"""Modules looked at, at most: the app's own and those beside it, where autodiscovery finds tasks."""


def task_limits(root: Path, app: str) -> tuple[TaskLimit, ...]:
    """Limits in the decorators of the tasks of ``app`` (``backend.tasks:celery``) below ``root``.

    What cannot be read or is no plain number is left out: the plan's own limits then hold as far as mlpack knows.
    """
    return tuple(found for module in read_modules(root, _files(root, app)) for found in _limits(module))


def _files(root: Path, app: str) -> list[PurePosixPath]:
    """The app's module and its neighbours. A package is its folder; a module is its file and what lies beside it."""
    inside = PurePosixPath(*app.partition(":")[0].split("."))
    package = (root / inside / "__init__.py").is_file()
    folder = inside if package else inside.parent
    if not (root / folder).is_dir() or (folder == PurePosixPath(".") and not (root / f"{inside}.py").is_file()):
        return []
    if folder == PurePosixPath("."):  # a flat project: its root is no package, so only what the app's name says
        names = [PurePosixPath(f"{inside}.py"), PurePosixPath("tasks.py")]
        return [name for name in dict.fromkeys(names) if (root / name).is_file()]
    return [PurePosixPath(path.relative_to(root)) for path in sorted((root / folder).glob("*.py"))][:MAX_MODULES]


def _limits(module: Module) -> list[TaskLimit]:
    found = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and _is_task(module, decorator):
                soft = _seconds(module, keyword(decorator, "soft_time_limit"))
                hard = _seconds(module, keyword(decorator, "time_limit"))
                if soft is not None or hard is not None:
                    name = text(keyword(decorator, "name")) or node.name
                    found.append(TaskLimit(name, module.where(decorator), soft, hard))
    return sorted(found, key=lambda limit: (limit.where.partition(":")[0], int(limit.where.rpartition(":")[2])))


def _is_task(module: Module, decorator: ast.Call) -> bool:
    """``@app.task(...)``, ``@celery.shared_task(...)``: a name is enough, as nothing is imported."""
    last = module.dotted(decorator.func).rpartition(".")[2]
    return last in ("task", "shared_task", "periodic_task")


def _seconds(module: Module, node: ast.expr | None) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return node.value if node.value > 0 else None
    number = module.number(node)
    return float(number) if number is not None and number > 0 else None
