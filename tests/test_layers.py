"""The house's floors: a module imports only from its own floor or below, and pure floors touch no outside world."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "mlpack"
NOUNS = {
    "noun",
    "host",
    "spec",
    "exchange",
    "model",
    "footprint",
    "plan",
    "artifact",
    "lock",
    "report",
    "errors",
    "units",
}
FLOORS: tuple[frozenset[str], ...] = (  # from the ground up
    frozenset(NOUNS | {"__init__"}),
    frozenset({"quoting", "servers", "runtimes", "targets"}),
    frozenset({"planner", "estimate", "render"}),
    frozenset(
        [
            "audit",
            "doctor",
            "write",
            "verify",
            "launchers",
            "probe",
            "meter",
            "measure",
            "config",
            "project",
            "formats",
            "init",
            "client",
            "reports",
            "process",
        ]
    ),
    frozenset({"flow"}),
    frozenset({"tune"}),
    frozenset({"cli", "console", "commands", "__main__"}),
)
PURE_FLOORS = 3
OUTSIDE = frozenset({"os", "subprocess", "time", "random", "socket", "psutil", "pynvml", "docker", "typer", "rich"}) | {
    "httpx",
    "shutil",
    "tempfile",
}
NEVER = frozenset({"torch", "tensorflow", "transformers", "pickle", "joblib"})


def part_of(module: Path) -> str:
    """The top-level part of mlpack that ``module`` belongs to."""
    first = module.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imports(module: Path) -> set[str]:
    """Every module that ``module`` imports, at top level or inside functions, type-checking imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            assert node.module is not None
            found |= (
                {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "mlpack" else {node.module}
            )
    return found


def floor_of(part: str) -> int:
    """The floor that ``part`` stands on."""
    for level, parts in enumerate(FLOORS):
        if part in parts:
            return level
    raise AssertionError(f"{part} stands on no floor: add it to FLOORS")


MODULES = sorted(path for path in SOURCE.rglob("*.py") if "templates" not in path.parts)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down_only(module: Path) -> None:
    level = floor_of(part_of(module))
    for name in imports(module):
        top, _, rest = name.partition(".")
        if top == "mlpack":
            part = rest.partition(".")[0]
            if part and part != "__version__":
                assert floor_of(part) <= level, f"{module} imports {name} from a floor above"
        assert top not in NEVER, f"{module} imports {top} into mlpack's own process"
        if level < PURE_FLOORS:
            assert top not in OUTSIDE, f"{module} is pure but imports {top}"
            assert top in sys.stdlib_module_names or top in {"mlpack", "pydantic", "jinja2", "yaml", "markupsafe"}, name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_modules_are_small_and_say_what_they_decide(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250, f"{module}: over 250 lines; is it really one job?"
    assert ast.get_docstring(ast.parse(text)), f"{module} has no docstring"
