"""What is planned for the app itself follows its requirements, and is never less where something in them is unknown."""

from __future__ import annotations

import pytest

from mlpack.estimate.app import OWN_ANONYMOUS_MIB, PACKAGES, UNKNOWN_ANONYMOUS_MIB, app_regions
from mlpack.runtimes import RUNTIMES
from mlpack.units import MIB

TORCH, TRANSFORMERS = RUNTIMES["torch"].FACTS, RUNTIMES["transformers"].FACTS


def anonymous_mib(*requirements: str) -> int:
    regions = app_regions(requirements, [TORCH])
    return next(region.bytes for region in regions if region.kind == "anonymous") // MIB


def test_measured_packages_are_added_up() -> None:
    assert anonymous_mib("torch==2.13.0", "Flask>=3", "pillow") == OWN_ANONYMOUS_MIB + PACKAGES["flask"][0] + 4


def test_what_fastapi_holds_is_counted_once() -> None:
    assert anonymous_mib("fastapi", "pydantic", "starlette") == anonymous_mib("fastapi")


def test_servers_runtimes_and_their_numpy_are_counted_elsewhere() -> None:
    assert anonymous_mib("torch", "gunicorn", "numpy") == OWN_ANONYMOUS_MIB
    (anonymous, _) = app_regions(("torch", "transformers"), [TRANSFORMERS])
    assert anonymous.bytes == OWN_ANONYMOUS_MIB * MIB


@pytest.mark.parametrize("line", ["shapely", "-r base.txt", "transformers", "https://example.org/pkg.whl"])
def test_an_unknown_requirement_keeps_the_whole_allowance(line: str) -> None:
    assert anonymous_mib("torch", "flask", line) == UNKNOWN_ANONYMOUS_MIB


def test_unknown_ones_never_lower_what_is_known() -> None:
    lines = ("fastapi", "scipy", "pandas", "shapely")
    known = OWN_ANONYMOUS_MIB + sum(PACKAGES[name][0] for name in lines[:3])
    assert anonymous_mib(*lines) == known > UNKNOWN_ANONYMOUS_MIB


def test_without_requirements_nothing_is_taken_for_granted() -> None:
    for nothing in (None, ()):
        assert app_regions(nothing, [TORCH])[0].bytes == UNKNOWN_ANONYMOUS_MIB * MIB
