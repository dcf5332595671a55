"""Who owns what in a folder of the host once the rendered commands have run: the real find, on real files."""

from __future__ import annotations

import itertools
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests import left_by_root
from tests.artifacts import texts
from tests.planner.build import UVICORN
from tests.planner.build import plan as make_plan
from tests.quoting.hostile import EXAMPLES

from mlpack.plan import Plan
from mlpack.process import run
from mlpack.targets.folders import given_argv

UID = 10001
MODELS = {"m": {"path": "data/weights/m.bin"}, "n": {"path": "data/we?ghts"}, "o": {"path": "other/weights"}}
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change owners")


def made(volumes: dict[str, Any], **more: Any) -> Plan:
    web = {**UVICORN, "models": [], "volumes": list(volumes)}
    return make_plan({"web": web}, build={"requirements": "requirements.txt"}, volumes=volumes, models=MODELS, **more)


def command(plan: Plan) -> list[str]:
    """As compose reads it."""
    compose = yaml.safe_load(texts(plan)["compose.yaml"])
    return [word.replace("$$", "$") for word in compose["services"]["mlpack-folders"]["command"]]


def test_the_command_in_full() -> None:
    plan = made({"data": {"path": "data"}, "logs": {"path": "logs", "mount": "/var/log/"}, "kept": {}})
    words = (
        r"find /opt/shop/data /var/log -ignore_readdir_race -xdev "
        r"-path /opt/shop/data/we\?ghts -prune -o -path /opt/shop/data/weights/m.bin -prune -o "
        r"( ( -path /opt/shop/data -o -path /var/log ) ( ! -uid 10001 -o ! -gid 10001 ) "
        r"-o -uid 0 ( -type d ! -execdir mountpoint -q {} ; -o -type f -links 1 ) ) -execdir chown -h 10001:10001 {} +"
    )
    assert command(plan) == words.split()


def test_the_projects_own_folder_keeps_what_is_rendered_and_its_secrets() -> None:
    words = " ".join(command(made({"all": {"path": ".", "mount": "/app"}})))
    assert " -path /app/deploy -prune -o " in words
    assert " -path /app/other/weights -prune -o " in words


@root_only
def test_only_what_root_left_changes_hands(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    wanted = left_by_root.make(data, outside, UID)
    plan = made({"data": {"path": ".", "mount": str(data)}}, root="/srv/x")
    plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"models": models_below(plan)})})
    argv = given_argv(plan, {"data": "."})
    run(argv)
    assert left_by_root.mistaken(wanted | {data: UID}) == {}
    os.chown(data, left_by_root.OTHER, UID)
    run(argv)
    assert left_by_root.mistaken(wanted | {data: UID}) == {}, "the folder itself, whoever has it"


def models_below(plan: Plan) -> dict[str, Any]:
    """The models of a volume that is the project's own folder."""
    paths = {"m": "weights/m.bin", "n": "we?ghts"}
    return {name: plan.spec.models[name].model_copy(update={"path": path}) for name, path in paths.items()}


@root_only
@pytest.mark.parametrize("name", [*(text for text in EXAMPLES if text.strip() and "/" not in text), "-name x", "a\\*b"])
def test_hostile_names_of_folders_and_weights(tmp_path: Path, name: str) -> None:
    """A folder and weights in it of that name, beside a neighbour that a pattern would take in."""
    data = tmp_path / name
    for file in ("app.log", f"{name}/m.bin", "x/m.bin"):
        (data / file).parent.mkdir(parents=True, exist_ok=True)
        (data / file).write_text("")
    plan = made({"data": {"path": "d", "mount": str(data)}})
    models = {"m": plan.spec.models["m"].model_copy(update={"path": f"d/{name}"})}
    plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"models": models})})
    assert command(plan) == list(given_argv(plan, {"data": "d"})), "YAML and compose give back every word"
    run(given_argv(plan, {"data": "d"}))
    owners = {data / "app.log": UID, data / "x/m.bin": UID, data: UID, data / name: 0, data / name / "m.bin": 0}
    assert left_by_root.mistaken(owners) == {}


@root_only
def test_what_cannot_be_given_is_an_error_that_names_it(tmp_path: Path) -> None:
    """chown as it is where the file system refuses: an NFS server's squashed root, an immutable file."""
    (tmp_path / "bin").mkdir()
    refusing = tmp_path / "bin" / "chown"
    refusing.write_text('#!/bin/sh\necho "chown: changing ownership of $3: Operation not permitted" >&2\nexit 1\n')
    refusing.chmod(0o755)
    data = tmp_path / "data"
    data.mkdir()
    (data / "app.log").write_text("")
    plan = made({"data": {"path": "data", "mount": str(data)}})
    argv = given_argv(plan, {"data": "data"})
    said = run(argv, env={"PATH": f"{refusing.parent}:{os.environ['PATH']}"}, check=False)
    assert said.code != 0
    assert "app.log: Operation not permitted" in said.stderr
    os.chown(data, UID, UID)
    os.chown(data / "app.log", UID, UID)
    run(argv, env={"PATH": f"{refusing.parent}:{os.environ['PATH']}"})  # nothing is asked where all is right


def prepared(script: str, user: str) -> str:
    """install.sh's function alone, with what it calls."""
    lines = script.splitlines()
    body = itertools.takewhile(lambda line: line != "}", lines[lines.index("prepare_folder() {") :])
    stand_ins = ['say() { echo "$*" >&2; }', 'die() { say "$*"; exit 1; }', f"user={user}"]
    return "\n".join([*stand_ins, *body, "}", ""])


@root_only
def test_units_have_the_same_rule(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    plan = made({"data": {"path": ".", "mount": str(data)}}, target="systemd", root=str(data))
    plan = plan.model_copy(update={"spec": plan.spec.model_copy(update={"models": models_below(plan)})})
    script = texts(plan)["install.sh"]
    call = next(line for line in script.splitlines() if line.strip().startswith("prepare_folder /"))
    assert shlex.split(call)[:2] == ["prepare_folder", str(data)]
    text = prepared(script, "nobody")
    nobody = int(run(["id", "-u", "nobody"]).stdout)
    wanted = left_by_root.make(data, outside, nobody)
    run(["sh", "-eu", "-c", text + call])
    assert left_by_root.mistaken(wanted | {data: nobody}) == {}


@root_only
def test_units_leave_files_alone_where_links_are_not_protected(tmp_path: Path) -> None:
    """A unit that writes there could otherwise give a file of root's a second name once find has counted."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "app.log").write_text("")
    plan = made({"data": {"path": "data", "mount": str(data)}}, target="systemd")
    text = prepared(texts(plan)["install.sh"], "nobody").replace("/proc/sys/fs/protected_hardlinks", "/dev/null")
    said = run(["sh", "-eu", "-c", f"{text}prepare_folder {data}"])
    assert "protected_hardlinks is off" in said.stderr
    nobody = int(run(["id", "-u", "nobody"]).stdout)
    assert left_by_root.mistaken({data: nobody, data / "app.log": 0}) == {}
