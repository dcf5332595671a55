"""Thread variables: all libraries, and the user's word over ours."""

from __future__ import annotations

from tests.planner.build import GUNICORN, footprint, host, plan, spec

from mlpack.planner import make_plan


def test_every_library_in_play_is_told() -> None:
    made = make_plan(
        host(cores=4),
        spec({"web": {**GUNICORN, "workers": 2}}),
        {"web": footprint()},
        profiles=(),
        origins={},
        runtimes={"web": ("torch",)},
        requirements={"web": ("torch", "opencv-python-headless==4.10", "SimpleITK")},
    )
    values = {name: decided.value for name, decided in made.services["web"].environment.items()}
    assert values["OMP_NUM_THREADS"] == values["MKL_NUM_THREADS"] == values["OPENCV_FOR_THREADS_NUM"] == "2"
    assert values["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] == "2"
    assert values["OMP_WAIT_POLICY"] == "PASSIVE"
    assert list(values) == sorted(values)


def test_one_process_alone_may_spin() -> None:
    made = plan({"web": {**GUNICORN, "workers": 1}})
    assert "OMP_WAIT_POLICY" not in made.services["web"].environment


def test_the_users_variable_wins_and_a_breach_is_said() -> None:
    within = plan({"web": {**GUNICORN, "workers": 2, "env": {"OMP_NUM_THREADS": {"text": "2"}}}})
    assert "OMP_NUM_THREADS" not in within.services["web"].environment
    assert "threads-overridden" not in {finding.code for finding in within.findings}
    beyond = plan({"web": {**GUNICORN, "workers": 2, "env": {"OMP_NUM_THREADS": {"text": "8"}}}})
    found = next(finding for finding in beyond.findings if finding.code == "threads-overridden")
    assert found.where == "services.web.env.OMP_NUM_THREADS"
