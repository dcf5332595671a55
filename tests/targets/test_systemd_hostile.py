"""Units of plans with hostile values in every place that a spec leaves free, read back by systemd itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tests.artifacts import texts
from tests.e2e.booted import Booted, provide_host
from tests.planner.build import CELERY
from tests.planner.build import plan as make_plan
from tests.quoting.hostile import EXAMPLES, LINES

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers.paths import volume_path
from mlpack.targets.systemd_programs import python_of, unit_argv, variables_of

PLACES = ("root", "python", "volume", "step", "app")
UNITS = "/run/systemd/system"
ASK = r"""
import json, pathlib, subprocess, sys
told = json.load(open("/srv/told.json"))
folder = pathlib.Path("/run/systemd/system")
for name, (text, programs) in told.items():
    (folder / name).write_text(text, encoding="utf-8")
    for program in map(pathlib.Path, programs):  # verify wants them to be there
        program.parent.mkdir(parents=True, exist_ok=True)
        program.is_symlink() or program.symlink_to("/bin/true")
subprocess.run(["systemctl", "daemon-reload"], check=True)
files = [str(folder / name) for name in told]
verified = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True)
said = {}
for name in told:
    place = "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in name)
    words = ["org.freedesktop.systemd1", f"/org/freedesktop/systemd1/unit/{place}", "org.freedesktop.DBus.Properties"]
    asked = ["busctl", "--json=short", "call", *words, "GetAll", "s", "org.freedesktop.systemd1.Service"]
    found = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)["data"][0]
    said[name] = {key: found[key]["data"] for key in sys.argv[1:]}
for name in told:
    (folder / name).unlink()
print(json.dumps([verified.stdout + verified.stderr, said]))
"""
KEYS = ("ExecStartPre", "ExecStart", "ExecStartPost", "Environment", "EnvironmentFiles", "WorkingDirectory")
MORE_KEYS = ("ReadWritePaths",)


@pytest.fixture(scope="module")
def host() -> Iterator[Booted]:
    with Booted(provide_host()) as booted:
        yield booted


def hostile(place: str, text: str) -> Plan:
    """A worker's plan with ``text`` in one place."""
    path = f"/opt/x{text.replace('/', '_')}"
    worker = {**CELERY, "volumes": ["data"], "env": {"READY": {"of": "worker", "fact": "ready"}}}
    worker |= {"app": text} if place == "app" else {}
    worker |= {"command": [["python", "-c", text], ["/bin/echo", text]]} if place == "step" else {}
    more: dict[str, Any] = {"root": path} if place == "root" else {}
    more |= {"host": {"python": f"{path}/bin/python"}} if place == "python" else {}
    volumes = {"data": {"mount": path} if place == "volume" else {}}
    services = {"worker": worker}
    return make_plan(services, target="systemd", build={"requirements": "r.txt"}, volumes=volumes, **more)


def takes(place: str, text: str) -> bool:
    """systemd can hold it there, as far as its manual and its source say: words hold everything but non-characters."""
    if place in ("step", "app"):
        return not any(0xFDD0 <= ord(char) <= 0xFDEF or ord(char) & 0xFFFE == 0xFFFE for char in text)
    return text == text.strip() and all(char.isprintable() and char not in "\"'\\" for char in text)


def commands(said: list[list[Any]]) -> list[tuple[str, ...]]:
    """The words of Exec lines as D-Bus has them: path, words, and what became of them."""
    return [tuple(one[1]) for one in said]


@pytest.mark.engine
@settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large),
)
@example(drawn=[*EXAMPLES, "-rf", "a\nb", "50% of $HOME", "a=b;c", "é 雪"])
@given(drawn=st.lists(LINES.filter(bool), min_size=6, max_size=6))
def test_systemd_reads_what_the_plan_says(host: Booted, tmp_path: Path, drawn: list[str]) -> None:
    """Each text in each place: refused where no unit file can hold it, else exactly what comes back."""
    plans, told = dict[str, Plan](), dict[str, tuple[str, list[str]]]()
    for number, text in enumerate(drawn):
        for place in PLACES:
            try:
                plan = hostile(place, text)
                unit = texts(plan)["shop-worker.service"]
            except SpecError:
                assert not takes(place, text) or not text, (place, text)
                continue
            name = f"h{number}-{place}.service"
            plans[name], told[name] = plan, (unit, [python_of(plan, "worker")])
    (tmp_path / "told.json").write_text(json.dumps(told), encoding="utf-8")
    run(["docker", "cp", "--quiet", str(tmp_path / "told.json"), f"{host.name}:/srv/told.json"])
    verified, said = json.loads(host.run("python3", "-c", ASK, *KEYS, *MORE_KEYS).stdout)
    assert verified == ""
    assert len(said) == len(plans) > 0
    for name, plan in plans.items():
        found, root = said[name], plan.spec.root_path
        python = python_of(plan, "worker")
        assert commands(found["ExecStart"]) == [unit_argv(plan, "worker")], name
        steps = [(python if words[0] == "python" else words[0], *words[1:]) for words in steps_of(plan)]
        assert commands(found["ExecStartPre"]) == steps, name
        (wait,) = commands(found["ExecStartPost"])
        assert wait[:4] == (python, "-I", "-S", f"{root}/deploy/prod/systemd/wait_ready.py"), name
        own = [f"{key}={value}" for key, value in variables_of(plan, "worker")]
        assert found["Environment"][: len(own)] == own, name
        assert found["EnvironmentFiles"] == [["/etc/shop/worker.env", False]], name
        assert found["WorkingDirectory"] == root, name
        assert found["ReadWritePaths"] == [volume_path(plan.spec, "data")], name


def steps_of(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """The worker's steps before its start."""
    return plan.spec.services["worker"].command
