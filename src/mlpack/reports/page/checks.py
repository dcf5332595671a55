"""What was asked and answered: what is wrong first, with evidence and remedy, then every check in its order."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from mlpack.report import CheckResult, Patch, Status
from mlpack.reports.page.element import el
from mlpack.units import show_duration

SIGNS: dict[Status, tuple[str, str]] = {
    "passed": ("✓", "passed"),
    "failed": ("✗", "failed"),
    "not_proven": ("?", "not proven"),
    "skipped": ("–", "skipped"),
}
"""Sign and word: neither colour nor sign has to be understood."""


def badge(status: Status, more: str = "") -> Markup:
    """The status as a word on its colour."""
    sign, word = SIGNS[status]
    return el("span", f"{sign} {word}", class_=f"badge {status} {more}".rstrip())


def checks_section(checks: Sequence[CheckResult]) -> Markup:
    """Every check, one a line; its evidence below it, open where it did not pass."""
    return el("section", el("h2", "Checks"), el("div", [_check(check) for check in checks], class_="checks"))


def _check(check: CheckResult) -> Markup:
    took = show_duration(check.duration_s) if check.duration_s >= 0.1 else ""
    head = (
        badge(check.status),
        el("b", check.name),
        el("span", check.summary, class_="summary"),
        el("span", took, class_="took"),
    )
    below = [
        el("p", el("b", "What to do: "), check.hint, class_="hint")
        if check.hint and check.status != "passed"
        else None,
        _patches(check.patches) if check.patches else None,
        el("pre", "\n".join(check.evidence)) if check.evidence else None,
    ]
    if not any(below):
        return el("div", head, class_="check")
    return el("details", el("summary", head, class_="check"), below, open=check.status in ("failed", "not_proven"))


def _patches(patches: Sequence[Patch]) -> Markup:
    lines = [f"{patch.path}: {_value(patch)}  # {patch.reason}" for patch in patches]
    return el(
        "div",
        el("p", "The change in mlpack.yaml (", el("code", "mlpack verify --fix"), " applies it):"),
        el("pre", "\n".join(lines)),
    )


def _value(patch: Patch) -> str:
    after = patch.after
    shown = (
        f"[{', '.join(after)}]"
        if isinstance(after, tuple)
        else str(after).lower()
        if isinstance(after, bool)
        else str(after)
    )
    return f"{patch.before or 'unset'} -> {shown}"
