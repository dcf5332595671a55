"""What systemd thinks of every kind of unit that needs no device; the guide says why each point stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.artifacts import texts
from tests.e2e.booted import provide_host
from tests.planner.build import CELERY, UVICORN, plan

from mlpack.process import run
from mlpack.targets.systemd import SERVERS

pytestmark = pytest.mark.engine
SERVICES = {
    "web": UVICORN,
    "pages": {**UVICORN, "server": "gunicorn", "port": 8001},
    "worker": {**CELERY, "env": {"BROKER": {"of": "queue", "fact": "url"}}},
    "queue": {"server": "redis"},
    "proxy": {"server": "caddy", "to": "web", "domain": "shop.localhost"},
}
GUIDE = Path(__file__).parent.parent.parent / "docs" / "systemd.md"
MOST = 2.0


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """Unit -> what systemd-analyze counts of it."""
    folder = tmp_path_factory.mktemp("units")
    made = {
        name: text
        for name, text in texts(plan(SERVICES, target="systemd", build={"requirements": "r.txt"})).items()
        if name.endswith(".service")
    }
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    words = ["docker", "run", "--rm", "--mount", f"type=bind,source={folder},target=/units", provide_host()]
    ask = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--json=short"]
    return {name: json.loads(run([*words, *ask, f"/units/{name}"]).stdout) for name in made}


def test_every_kind_of_unit_is_asked_about(units: dict[str, list[dict[str, str]]]) -> None:
    assert {service["server"] for service in SERVICES.values()} == SERVERS
    assert len(units) == len(SERVICES)


def test_exposure_is_low_and_every_point_left_has_its_reason(units: dict[str, list[dict[str, str]]]) -> None:
    reasons = GUIDE.read_text(encoding="utf-8").partition("What it still counts")[2].partition("\n## ")[0]
    for unit, rows in units.items():
        counted = [row for row in rows if row["exposure"] and float(row["exposure"]) > 0]
        assert sum(float(row["exposure"]) for row in counted) <= MOST, unit
        for row in counted:
            assert f"`{row['name'].partition('=')[0]}`" in reasons, (unit, row)
