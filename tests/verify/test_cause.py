"""The most likely cause: counters before exit codes before log lines."""

from __future__ import annotations

from mlpack.launchers.base import State
from mlpack.verify.cause import last_error, likely_cause, quoted

RUNNING = State("running", running=True)
TRACEBACK = [
    "[INFO] Booting worker with pid: 7",
    "Traceback (most recent call last):",
    '  File "/opt/app/app.py", line 3, in <module>',
    "    load()",
    "ValueError: bad header",
    "[INFO] Worker exiting (pid: 7)",
]


def test_a_memory_kill_is_told_by_the_counter_only() -> None:
    killed = likely_cause("web-1", RUNNING, 2, ["[ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?"])
    assert "killed 2 processes of web-1 for memory" in killed.words
    assert "web-1: oom_kill 2" in killed.evidence
    own = likely_cause(
        "web-1",
        RUNNING,
        0,
        ["[CRITICAL] WORKER TIMEOUT (pid:7)", "[ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?"],
    )
    assert "memory" not in own.words
    assert "took too long" in own.words
    assert "timeout" in (own.hint or "")


def test_the_keepers_word_counts_where_the_counter_is_gone() -> None:
    state = State("exited", running=False, exit_code=137, oom_killed=True)
    assert "for memory" in likely_cause("web-1", state, 0, []).words


def test_an_exit_names_the_exception() -> None:
    cause = likely_cause("web-1", State("exited", running=False, exit_code=3), 0, TRACEBACK)
    assert cause.words == "web-1 ended with exit code 3: ValueError: bad header"
    assert any("app.py" in line for line in cause.evidence)
    assert cause.hint


def test_a_servers_own_traceback_is_only_a_consequence() -> None:
    halt = ["Traceback (most recent call last):", "  raise HaltServer", "gunicorn.errors.HaltServer: <HaltServer 3>"]
    assert last_error([*TRACEBACK, *halt]) == "ValueError: bad header"
    assert last_error(halt) is None


def test_known_log_lines_have_a_hint() -> None:
    cause = likely_cause("web-1", State("exited", False, 1), 0, ["ModuleNotFoundError: No module named 'x'"])
    assert "requirements" in (cause.hint or "")
    assert likely_cause("web-1", State("exited", False, 127), 0, []).hint
    assert likely_cause("web-1", State("exited", False, 255), 0, ["exec format error"]).hint is not None


def test_a_running_service_without_a_sign_has_no_cause() -> None:
    cause = likely_cause("web-1", RUNNING, 0, ["all is well"])
    assert (cause.words, cause.hint) == ("", None)
    assert cause.evidence == ("web-1 said: all is well",)


def test_of_a_log_the_end_of_the_last_traceback_is_quoted() -> None:
    assert quoted(TRACEBACK)[-1] == "ValueError: bad header"
    assert last_error(TRACEBACK) == "ValueError: bad header"
    assert last_error(["no error"]) is None
    assert len(quoted([f"line {n}" for n in range(100)])) == 8
