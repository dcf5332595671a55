"""Whose run a label names, and whether that run still lives."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from mlpack.launchers.owner import Owner, current_owner, life, parse_owner


def test_a_label_names_its_owner_again() -> None:
    owner = Owner("ab12cd34", "host-1", "4026531836", 123, 1763839000.25)
    assert parse_owner(owner.label) == owner


@pytest.mark.parametrize("label", ["", "x", "run=1 host=a", "run=1 host=a ns= pid=x start=1", "pid=1"])
def test_other_labels_name_nobody(label: str) -> None:
    assert parse_owner(label) is None


def test_a_label_survives_compose_and_shells() -> None:
    assert not set(current_owner().label) & set("$`\"'\\\n{}")


def test_this_process_lives() -> None:
    here = current_owner()
    assert life(here, here) == "alive"


def test_a_process_that_ended_is_dead_also_before_it_is_reaped() -> None:
    here = current_owner()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(here, pid=child.pid, started_s=psutil.Process(child.pid).create_time())
    assert life(owner, here) == "alive"
    child.kill()
    psutil.wait_procs([])  # nothing is reaped: the child is a zombie now or soon
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert life(owner, here) == "dead"
    child.communicate()
    assert life(owner, here) == "dead"


def test_a_pid_used_again_is_not_the_owner() -> None:
    here = current_owner()
    assert life(replace(here, started_s=here.started_s - 3600), here) == "dead"


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"namespace": "1"}])
def test_pids_of_another_machine_or_namespace_mean_nothing(change: dict[str, str]) -> None:
    here = current_owner()
    assert life(replace(here, pid=2**22 + 1, **change), here) == "unknown"  # type: ignore[arg-type]
