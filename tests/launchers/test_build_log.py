"""A failed build's output: the step, its last words, a hint; and whether trying again may help."""

from __future__ import annotations

import pytest

from mlpack.errors import ExitCode, TransientError
from mlpack.launchers.build_log import BuildFailed, error_of, explain, worth_showing

PIP = """\
#0 building with "default" instance using docker driver
#7 [web build 4/6] RUN python -m pip install -r requirements.txt
#7 1.204 Collecting nonsense==9
#7 2.010 ERROR: Could not find a version that satisfies the requirement nonsense==9 (from versions: none)
#7 2.020 ERROR: No matching distribution found for nonsense==9
#8 [web source 2/3] COPY . .
#8 0.100 copying
#7 ERROR: process "/bin/sh -c python -m pip install" did not complete successfully: exit code: 1
------
 > [web build 4/6] RUN python -m pip install -r requirements.txt:
2.010 ERROR: Could not find a version
------
failed to solve: process "/bin/sh -c python -m pip install" did not complete successfully: exit code: 1
"""


def test_the_failing_step_is_named_with_its_last_lines() -> None:
    failure = explain(PIP)
    assert failure.step == "[web build 4/6] RUN python -m pip install -r requirements.txt"
    assert "ERROR: No matching distribution found for nonsense==9" in failure.lines
    assert "copying" not in failure.lines
    assert "requirement" in (failure.hint or "")
    assert not failure.transient


def test_a_build_that_stops_before_any_step_shows_what_was_said() -> None:
    failure = explain("failed to read dockerfile: open Dockerfile: no such file or directory\n")
    assert failure.step == "before its first step"
    assert failure.lines == ("failed to read dockerfile: open Dockerfile: no such file or directory",)


@pytest.mark.parametrize(
    "line",
    [
        "failed to solve: failed to resolve source metadata for docker.io/library/python:3.11: i/o timeout",
        "#7 ERROR: write /var/lib/docker/tmp: no space left on device",
    ],
)
def test_what_may_work_later_is_transient(line: str) -> None:
    error = error_of(line)
    assert isinstance(error, TransientError)
    assert error.exit_code is ExitCode.TRANSIENT
    assert error.hint


def test_what_will_not_work_later_is_a_failed_build() -> None:
    error = error_of(PIP)
    assert isinstance(error, BuildFailed)
    assert "RUN python -m pip install" in error.what


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("exec /bin/sh: exec format error", "build.platform"),
        ("no match for platform in manifest", "build.platform"),
        ("SSL: CERTIFICATE_VERIFY_FAILED certificate verify failed", "build.ca"),
        ("libgomp.so.1: cannot open shared object file", "build.apt"),
    ],
)
def test_known_failures_have_a_hint(said: str, hint: str) -> None:
    text = f"#3 [web 2/2] RUN x\n#3 0.1 {said}\n#3 ERROR: exit code: 1\n"
    assert hint in (explain(text).hint or "")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("#7 [web build 4/6] RUN pip install", "[web build 4/6] RUN pip install"),
        ("#7 1.204 Collecting torch==2.13.0", "  Collecting torch==2.13.0"),
        ("#7 ERROR: exit code: 1", "ERROR: exit code: 1"),
        ("#7 DONE 0.1s", None),
        ("#3 [web internal] load metadata for docker.io/library/python:3.11-slim-bookworm", None),
        ("#3 transferring context: 2B done", None),
        ("", None),
    ],
)
def test_progress_shows_steps_and_what_programs_say(line: str, shown: str | None) -> None:
    assert worth_showing(line) == shown
