"""Short forms give what their long forms would: quantities, environment values, commands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mlpack.config import LoadedSpec
from mlpack.config.shape import keys_of
from mlpack.spec import Budget, Load, Service, Settings, Spec, Step, Verify

LoadText = Callable[..., LoadedSpec]


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("max_body: 8M", "max_body_bytes", 8 * 1024**2),
        ("memory: 1.5G", "memory_bytes", 1536 * 1024**2),
        ("memory: 1048576B", "memory_bytes", 1024**2),
        ('memory: "2 GiB"', "memory_bytes", 2 * 1024**3),
        ("timeout: 10m", "timeout_s", 600),
        ("timeout: 1h30m", "timeout_s", 5400),
        ("timeout: 90", "timeout_s", 90),
        ("timeout: 0.5", "timeout_s", 0.5),
        ("cpus: 2", "cpus", 2),
        ("command: python manage.py migrate", "command", (("python", "manage.py", "migrate"),)),
        ("command: [python manage.py migrate]", "command", (("python", "manage.py", "migrate"),)),
        (
            "command: [[sh, -c, 'a && b'], \"echo 'one word'\"]",
            "command",
            (("sh", "-c", "a && b"), ("echo", "one word")),
        ),
    ],
)
def test_service_field(load: LoadText, written: str, field: str, value: object) -> None:
    assert getattr(load(f"    {written}\n").spec.services["web"], field) == value


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("8000", "8000"),
        ("0.5", "0.5"),
        ('"yes"', "yes"),
        ("'010'", "010"),
        ('""', ""),
        ("a b", "a b"),
        ("$HOME #x", "$HOME"),
        ("-1", "-1"),
    ],
)
def test_env_text_is_kept_as_written(load: LoadText, written: str, text: str) -> None:
    assert load(f"    env:\n      A: {written}\n").spec.services["web"].env["A"].text == text


@pytest.mark.parametrize(
    "written", ["yes", "off", "true", "1.10", "010", "0x1F", "1_000", "1e3", "12:30", "2024-01-01", "~", ".5"]
)
def test_env_text_that_yaml_would_change_is_refused(load: LoadText, written: str) -> None:
    with pytest.raises(Exception, match=r"services\.web\.env\.A"):
        load(f"    env:\n      A: {written}\n")


def test_within_is_a_deadline_in_a_step_and_a_tolerance_in_an_expectation(load: LoadText) -> None:
    spec = load(
        "requests:\n"
        "  a: {to: web, get: /a, until: {json: {state: done}}, within: 2m, expect: {like: a.npy, within: 0.5}}\n"
        "  b: {run: python check.py --fast}\n"
    ).spec
    (step,) = spec.requests["a"].steps
    assert step.within_s == 120
    assert step.expect is not None
    assert step.expect.within == 0.5
    assert spec.requests["b"].steps[0].run == ("python", "check.py", "--fast")


def test_units_are_part_of_field_names_only() -> None:
    """The keys people write, against the list in the documentation of the format."""
    assert {"max_body", "memory", "timeout", "rate"} <= set(keys_of(Service))
    assert set(keys_of(Budget)) == {"memory", "cpus", "memory_share", "keep_back"}
    assert "p95" in keys_of(Load)
    assert "p95" in keys_of(Verify)
    assert {"within", "json"} <= set(keys_of(Step))
    assert "log_max" in keys_of(Settings)
    nouns = (Spec, Service, Budget, Load, Verify, Step, Settings)
    written = [key for noun in nouns for key in keys_of(noun)]
    assert [key for key in written if key.endswith(("_bytes", "_s"))] == []
