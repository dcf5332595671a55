"""What a project's Python files show without being imported: task limits, queue settings, calls that do not exist."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mlpack.audit.deployment import Code, TaskLimits
from mlpack.audit.place import Place, Said
from mlpack.init.code import Module, keyword, read_modules, text

SETTINGS = frozenset(
    [
        *("task_acks_late", "acks_late", "celery_task_acks_late", "celery_acks_late"),
        *("task_reject_on_worker_lost", "reject_on_worker_lost", "celery_task_reject_on_worker_lost"),
        *("visibility_timeout", "task_time_limit", "celery_task_time_limit"),
        *("worker_proc_alive_timeout", "celery_worker_proc_alive_timeout"),
        *("worker_prefetch_multiplier", "celery_worker_prefetch_multiplier"),
    ]
)
WRONG_CALLS = frozenset(["set_memory_growth_compatible"])
MAX_MODULES = 400


def read_code(root: Path, files: Iterable[PurePosixPath], shown: str) -> Code:
    """The Python files among ``files`` below ``root``, named under ``shown`` in places."""
    modules = read_modules(root, [path for path in files if path.suffix == ".py"][:MAX_MODULES])
    return code_of(modules, shown)


def code_of(modules: Iterable[Module], shown: str) -> Code:
    """What ``modules`` show."""
    tasks: list[TaskLimits] = []
    settings: dict[str, Said] = {}
    wrong: list[Said] = []
    rays: list[Said] = []
    read = False
    for module in modules:
        read = True
        file = str(PurePosixPath(shown) / module.path)
        for node in ast.walk(module.tree):
            place = Place(file, getattr(node, "lineno", 1))
            for name, value in _settings(node):
                settings.setdefault(name, Said(value, place))
            if isinstance(node, ast.Attribute) and node.attr in WRONG_CALLS:
                wrong.append(Said(module.dotted(node) or node.attr, place))
            if _is_lone_ray(module, node):
                rays.append(Said("ray.init()", place))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                tasks += _limits(module, node, file)
    return Code(read, tuple(tasks), settings, tuple(wrong), tuple(rays))


def _is_lone_ray(module: Module, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or module.dotted(node.func) != "ray.init":
        return False
    return not node.args and keyword(node, "address") is None


def _settings(node: ast.AST) -> list[tuple[str, str]]:
    found: list[tuple[str, ast.AST]] = []
    if isinstance(node, ast.keyword) and node.arg:
        found = [(node.arg, node.value)]
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            found.append((name, node.value))
    elif isinstance(node, ast.Dict):
        found = [(str(k.value), v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)]
    return [(name.lower(), ast.unparse(value)) for name, value in found if name.lower() in SETTINGS]


def _limits(module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef, file: str) -> list[TaskLimits]:
    found = []
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        if module.dotted(decorator.func).rpartition(".")[2] not in ("task", "shared_task", "periodic_task"):
            continue
        soft = module.number(keyword(decorator, "soft_time_limit"))
        hard = module.number(keyword(decorator, "time_limit"))
        if soft is not None or hard is not None:
            name = text(keyword(decorator, "name")) or node.name
            found.append(TaskLimits(name, Place(file, decorator.lineno), soft, hard))
    return found
