"""What engine, systemd, df and kernel say, as facts; odd lines do no harm."""

from __future__ import annotations

import pytest

from mlpack.doctor import diagnose, parse
from mlpack.doctor.facts import Facts, HealthFacts, HealthProbe
from mlpack.doctor.health import was_healthy
from mlpack.units import MIB

SHOW = """\
Id=mri-prod-web.service
LoadState=loaded
ActiveState={active}
SubState={sub}
Result={result}
ExecMainCode={code}
ExecMainStatus={status}
ExecMainStartTimestampMonotonic=100000000
NRestarts={restarts}
MemoryMax=268435456
"""


def unit(active: str, result: str, code: int, status: int, *, restarts: int = 0, logs: tuple[str, ...] = ()) -> Facts:
    """A unit as `systemctl show` prints it (systemd 252)."""
    sub = {"active": "running", "failed": "failed"}.get(active, "dead")
    text = SHOW.format(active=active, sub=sub, result=result, code=code, status=status, restarts=restarts)
    return parse.unit(text, logs, now_s=160.0)


def kinds(facts: Facts) -> list[str]:
    return [one.kind for one in diagnose(facts)]


def test_a_unit_that_runs() -> None:
    facts = unit("active", "success", 0, 0)
    assert (facts.name, facts.running, facts.age_s, facts.limit_bytes) == (
        "mri-prod-web.service",
        True,
        60.0,
        256 * MIB,
    )
    assert kinds(facts) == []


def test_a_unit_killed_for_memory() -> None:
    facts = unit("failed", "oom-kill", 2, 9)
    (one,) = diagnose(facts)
    assert (one.kind, one.sureness) == ("oom", "certain")
    assert "systemd says Result=oom-kill" in one.evidence


def test_systemds_own_exit_codes() -> None:
    assert kinds(unit("failed", "exit-code", 1, 203))[0] == "no-command"
    assert kinds(unit("failed", "exit-code", 1, 226))[0] == "sandbox"


def test_a_unit_that_gave_up_and_one_that_took_too_long() -> None:
    logs = ("Traceback (most recent call last):", "ModuleNotFoundError: No module named 'torch'")
    assert kinds(unit("failed", "start-limit-hit", 1, 1, restarts=5, logs=logs)) == ["missing-module", "restart-loop"]
    assert kinds(unit("failed", "timeout", 2, 15))[0] == "unit-timeout"


def test_a_signal_is_128_and_its_number() -> None:
    assert unit("failed", "signal", 2, 9).exit_code == 137
    assert kinds(unit("failed", "signal", 2, 9)) == ["killed"]


def inspected(policy: str | None, code: int = 0, ports: dict[str, object] | None = None) -> Facts:
    """A container that ended with ``code``, as `docker inspect` tells of it."""
    host = {"RestartPolicy": {"Name": policy}, "PortBindings": ports or {}}
    state = {"Status": "exited", "Running": False, "ExitCode": code}
    return parse.container({"Name": "/shop-migrate-1", "State": state, "HostConfig": host}, 0.0)


@pytest.mark.parametrize("policy", ["no", "on-failure", "", None])
def test_a_job_that_ended_well_is_done(policy: str | None) -> None:
    job = inspected(policy)
    assert job.done
    got_over = ("Traceback (most recent call last):", "ConnectionError: the database is not there yet: again in 1 s")
    assert kinds(job.model_copy(update={"logs": got_over, "restarts": 4})) == []
    assert kinds(job.model_copy(update={"oom_events": 1})) == ["oom"], "what was killed in it is told"
    assert kinds(inspected(policy, 1)) == ["ended"]


def test_a_server_that_ended_well_is_down() -> None:
    assert kinds(inspected("unless-stopped")) == ["stopped"]
    assert kinds(inspected("no", ports={"8000/tcp": [{"HostIp": "", "HostPort": ""}]})) == ["stopped"]


def test_a_oneshot_unit_is_done_and_another_is_down() -> None:
    text = SHOW.format(active="inactive", sub="dead", result="success", code=1, status=0, restarts=0)
    assert kinds(parse.unit(f"Type=oneshot\n{text}", (), 160.0)) == []
    assert kinds(parse.unit(f"Type=exec\n{text}", (), 160.0)) == ["stopped"]


def test_df_without_the_kernels_mounts() -> None:
    text = """Filesystem 1024-blocks Used Available Capacity Mounted on
overlay 100 40 60 40% /
tmpfs 65536 0 65536 0% /dev
shm 65536 65536 0 100% /dev/shm
tmpfs 10 0 10 0% /proc/acpi
odd line
"""
    assert [(one.mount, one.free_bytes) for one in parse.file_systems(text)] == [("/", 61440), ("/dev/shm", 0)]
    assert parse.file_systems("") == ()


def test_events_and_stats_with_warnings_between() -> None:
    died = '{"Action":"die","timeNano":5000000000,"Actor":{"Attributes":{"exitCode":"3"}}}'
    text = f'WARNING: x\n{died}\n{{"Action":"oom"}}\n[]\n'
    ends, kills = parse.deaths(text)
    assert [(one.at_s, one.exit_code) for one in ends] == [(5.0, 3)]
    assert kills == 1
    assert parse.cpu_cores("150.5%\n") == 1.505
    assert parse.cpu_cores("") is None


def test_kernel_lines_of_another_container_are_not_ours() -> None:
    theirs = "oom-kill:task_memcg=/docker/aaa,pid=7\nKilled process 7 (x)\n"
    text = f"{theirs}oom-kill:task_memcg=/docker/bbb,pid=8\nKilled process 8 (y)"
    assert parse.kernel_lines(text, "bbb") == ("oom-kill:task_memcg=/docker/bbb,pid=8", "Killed process 8 (y)")
    assert parse.kernel_lines(text, "") == ()


def test_the_end_of_a_main_process_tells_where_the_kernel_left_the_group_out() -> None:
    ends = [f"Memory cgroup out of memory: Killed process {pid} (python3)" for pid in (77, 771)]
    assert parse.kernel_lines("\n".join(ends), "web.service", parse.main_pid("Id=web\nExecMainPID=77\n")) == (ends[0],)
    assert parse.kernel_lines("\n".join(ends), "web.service", parse.main_pid("Id=web\n")) == ()


def facts_of(age_s: float, streak: int, *exits: int) -> tuple[Facts, HealthFacts]:
    probes = tuple(HealthProbe(exit_code=one, output="", took_s=1.0) for one in exits)
    health = HealthFacts(
        status="unhealthy", failing_streak=streak, probes=probes, interval_s=4.0, timeout_s=3.0, start_period_s=10.0
    )
    return Facts(kind="container", name="x", status="running", running=True, age_s=age_s, health=health), health


def test_whether_it_ever_was_healthy() -> None:
    assert not was_healthy(*facts_of(30.0, 4, 1, 1, 1)), "10 s of start period and 4 checks of 5 s are all of its life"
    assert was_healthy(*facts_of(300.0, 4, 1, 1, 1))
    assert was_healthy(*facts_of(30.0, 3, 0, 1, 1, 1)), "the record shows it"


def test_secrets_are_known_by_their_names() -> None:
    found = {
        "Config": {"Env": ["DB_PASSWORD=abcdef", "API_TOKEN=abcdefgh", "PIN_KEY=12", "PATH=/bin", "EMPTY_SECRET="]}
    }
    assert parse.secrets_of(found) == ("abcdefgh", "abcdef")
