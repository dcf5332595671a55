"""``plan --sweep``: table, JSON, exit code and a chart that is well-formed and shows every point."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.commands.conftest import Command

from mlpack.commands.sweep import answer, bar
from mlpack.commands.sweep_chart import FITS, svg
from mlpack.planner.sweep import Point, SweptService
from mlpack.planner.sweep_asked import Sweep
from mlpack.units import GIB, MIB

pytestmark = pytest.mark.slow

SVG = "{http://www.w3.org/2000/svg}"


def point(value: int, memory_mib: int, rate: float | None) -> Point:
    """A point on a machine with 1 GiB usable; without a rate it was refused."""
    swept = SweptService(
        workers=value,
        threads=1,
        concurrency=1,
        replicas=1,
        limit_bytes=memory_mib * MIB,
        requests_per_s=rate or 0,
        source="measured",
    )
    return Point(
        value=value,
        shown=str(value),
        fits=rate is not None,
        memory_bytes=memory_mib * MIB,
        usable_bytes=GIB,
        services={} if rate is None else {"web": swept},
        refused=None if rate is not None else "does <not> fit & is refused",
    )


POINTS = (point(1, 400, 2.0), point(2, 800, 3.9), point(3, 1200, None), point(4, 1600, None))
WORKERS = Sweep("workers", "web", (1, 2, 3, 4))


def test_the_answer_names_where_it_stops_to_fit() -> None:
    assert answer(POINTS, WORKERS, "web") == (
        "does not fit at 3 to 4; the smallest workers within 5 % of the best throughput of web: 2"
    )
    assert answer(POINTS[2:], WORKERS, "web") == "none of these fits"


def test_bars_grow_with_memory_and_mark_the_usable() -> None:
    bars = [bar(one, 1600 * MIB) for one in POINTS]
    filled = [text.count("█") for text in bars]
    assert filled == sorted(filled)
    assert len({text.index("|") for text in bars}) == 1


def test_the_chart_is_xml_with_a_bar_for_every_point() -> None:
    root = ElementTree.fromstring(svg(POINTS, "web", title="a <b> & c"))
    bars = [one for one in root.iter(f"{SVG}rect") if one.find(f"{SVG}title") is not None]
    heights = [float(one.attrib["height"]) for one in bars]
    assert heights == pytest.approx([heights[0] * n for n in (1, 2, 3, 4)], abs=0.3)
    assert [one.attrib["fill"] == FITS for one in bars] == [True, True, False, False]
    texts = {one.text for one in root.iter(f"{SVG}text")}
    assert {"1", "2", "3", "4", "a <b> & c"} <= texts
    assert len(list(root.iter(f"{SVG}circle"))) == 2


def test_a_chart_of_nothing_is_still_a_chart() -> None:
    refused = Point(value=1, shown="1", fits=False, memory_bytes=None, usable_bytes=None, refused="no")
    ElementTree.fromstring(svg((refused,), None, title="none"))


def test_sweep_as_a_user_runs_it(mlpack: Command, project: Path) -> None:
    done = mlpack("plan", "prod", "--ram", "1G..8G", "--cores", "4", "--chart", "sweep.svg")
    assert done.returncode == 0, done.stderr
    assert "the smallest ram within 5 %" in done.stdout
    assert "1.5 GiB" in done.stdout
    ElementTree.parse(project / "sweep.svg")
    done = mlpack("plan", "prod", "--cores", "4", "--sweep", "ram=64M,128M", "--json")
    assert done.returncode == 1, "nothing fits"
    assert [one["fits"] for one in json.loads(done.stdout)] == [False, False]
    done = mlpack("plan", "prod", "--sweep", "wrokers=1..3")
    assert done.returncode == 2
    assert "workers=1..8" in done.stderr
