"""Which packages an app's module imports, through the project's own modules: read as syntax, nothing is run."""

from __future__ import annotations

import ast
from pathlib import Path, PurePosixPath

from mlpack.init.code import read_modules

MOST_MODULES = 300


def imported(root: Path, app: str, *, everywhere: bool) -> frozenset[str] | None:
    """Top-level names of the packages that ``app`` (``backend.main:app``) imports; None where its module is not there.

    ``everywhere``: imports inside functions count too, as of a worker that runs its tasks' functions.
    """
    wanted = [app.partition(":")[0]]
    seen: set[str] = set()
    found: set[str] = set()
    known = False
    while wanted and len(seen) < MOST_MODULES:
        name = wanted.pop()
        if name in seen or not name:
            continue
        seen.add(name)
        inside = PurePosixPath(*name.split("."))
        paths = [inside.with_suffix(".py"), inside / "__init__.py"]
        modules = read_modules(root, [path for path in paths if (root / path).is_file()])
        if not modules:
            found.add(name.partition(".")[0])
        for module in modules:
            known = True
            package = name if module.path.name == "__init__.py" else name.rpartition(".")[0]
            wanted += _names(module.tree, package, everywhere)
            wanted += [name.rpartition(".")[0]]
    return frozenset(found) if known else None


def _names(tree: ast.Module, package: str, everywhere: bool) -> list[str]:
    found: list[str] = []
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not everywhere:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            base = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" if module else alias.name for alias in node.names)]
        else:
            stack.extend(ast.iter_child_nodes(node))
    return found
