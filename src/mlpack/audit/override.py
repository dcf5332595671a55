"""compose.override.yaml for a file that stays as it is: limits, environment, health and grace that findings ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlpack.audit.finding import AuditFinding, Hit
from mlpack.quoting.compose import compose

HEADER = "# written by mlpack audit; Compose reads it beside your own file, which stays as it is\n"


def override_text(found: Iterable[tuple[AuditFinding, Hit]]) -> str | None:
    """The override of a compose file; None where no finding can be mended in one."""
    services: dict[str, dict[str, object]] = {}
    reasons: dict[str, list[str]] = {}
    for one, hit in found:
        if hit.change and one.service is not None:
            _merge(services.setdefault(one.service, {}), hit.change)
            reasons.setdefault(one.service, []).append(f"{one.rule} ({one.file}:{one.line})")
    if not services:
        return None
    lines = [HEADER, "services:\n"]
    for name, change in services.items():
        lines.append(f"  # {', '.join(dict.fromkeys(reasons[name]))}\n")
        lines += _lines({name: change}, 2)
    return "".join(lines)


def _merge(into: dict[str, object], change: Mapping[str, object]) -> None:
    """What was there first stays: findings come worst first."""
    for key, value in change.items():
        if isinstance(value, Mapping):
            below = into.setdefault(key, {})
            if isinstance(below, dict):
                _merge(below, value)
        else:
            into.setdefault(key, value)


def _lines(value: Mapping[str, object], indent: int) -> list[str]:
    found = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            found += [f"{' ' * indent}{compose(key).replace('$$', '$')}:\n", *_lines(item, indent + 2)]
        else:
            found.append(f"{' ' * indent}{compose(key).replace('$$', '$')}: {compose(item)}\n")
    return found
