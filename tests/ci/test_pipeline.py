"""The pipeline's pieces: what their owners' schemas and linters say of them, and their shell steps, run for real."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlpack.errors import ExitCode

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
STAND_IN = """#!/bin/sh
# stands in for mlpack: says what it was asked, writes what it was told, ends as it is told
printf '%s\\n' "$*" >>"$CALLS"
while [ $# -gt 0 ]; do
    if [ "$1" = --report ]; then echo "## report" >"$2"; fi
    shift
done
exit "${ENDS:-0}"
"""


def tool(name: str, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A tool of the test environment."""
    return subprocess.run(
        [str(BIN / name), *words], capture_output=True, text=True, check=False, env={**os.environ, **environ}, cwd=ROOT
    )


def fenced(name: str) -> list[str]:
    """YAML blocks of a page of docs/."""
    return re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_owners_schemas_accept_the_action_and_the_template() -> None:
    action = tool("check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml")
    assert action.returncode == 0, action.stdout
    words = ("--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", "ci/gitlab.yml")
    gitlab = tool("check-jsonschema", *words)
    assert gitlab.returncode == 0, gitlab.stdout
    manifest = tool("pre-commit", "validate-manifest", ".pre-commit-hooks.yaml")
    assert manifest.returncode == 0, manifest.stdout + manifest.stderr


def test_workflows_in_the_docs_pass_actionlint(tmp_path: Path) -> None:
    workflows = [text for text in fenced("ci.md") if "runs-on" in text]
    assert len(workflows) == 2
    for number, text in enumerate(workflows):
        file = tmp_path / ".github" / "workflows" / f"{number}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        done = tool("actionlint", str(file))
        assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / ".github" / "workflows" / "broken.yml"
    broken.write_text(workflows[0].replace("runs-on", "run-on"), encoding="utf-8")
    assert tool("actionlint", str(broken)).returncode != 0, "the linter looks"


def test_the_docs_use_what_the_action_has() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (used,) = [
        step["with"]
        for text in fenced("ci.md")
        for job in (yaml.safe_load(text).get("jobs") or {}).values()
        for step in job["steps"]
        if "/mlpack@" in step.get("uses", "")
    ]
    assert set(used) <= set(action["inputs"])
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for name in (*action["inputs"], *action["outputs"]):
        assert f"`{name}`" in text, name
    for code in (ExitCode.OK, ExitCode.FAILED, ExitCode.USAGE, ExitCode.BUG, ExitCode.NOT_PROVEN, ExitCode.TRANSIENT):
        assert f"| {int(code)} |" in text


def shell_steps() -> dict[str, tuple[str, dict[str, str]]]:
    """Steps of the action that run a shell: id or name -> script and environment."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return {one.get("id", "install"): (one["run"], one["env"]) for one in action["runs"]["steps"] if "run" in one}


class Runner:
    """GitHub's runner, as far as the action's shell steps see it: variables, files, inputs put into expressions."""

    def __init__(self, folder: Path, **inputs: str) -> None:
        self.folder, self.path = folder, os.environ["PATH"]
        action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
        self.values = {f"inputs.{name}": str(one["default"]) for name, one in action["inputs"].items()}
        self.values |= {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
        self.values |= {"github.action_path": str(ROOT), "runner.temp": str(folder / "temp")}
        (folder / "temp").mkdir()

    def step(self, name: str, **environ: str) -> subprocess.CompletedProcess[str]:
        script, wanted = shell_steps()[name]
        own = {key: self._filled(value) for key, value in wanted.items()}
        files = {one: str(self.folder / one.lower()) for one in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH")}
        fixed = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(self.folder), "PATH": self.path, **files}
        return subprocess.run(
            ["sh", "-e", "-c", script],
            cwd=self.folder,
            env={**os.environ, **fixed, **own, **environ},
            capture_output=True,
            text=True,
            check=False,
        )

    def said(self, name: str) -> str:
        """What a step wrote for the runner."""
        file = self.folder / name
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def _filled(self, value: str) -> str:
        return re.sub(r"\$\{\{\s*([\w.-]+)\s*\}\}", lambda match: self.values[match[1]], value)


def rendered_example(folder: Path) -> Path:
    """An example without its weights, rendered as it would be now: the lock speaks for the machine and the models."""
    ignore = shutil.ignore_patterns(".venv", "weights", "__pycache__", "verify.json")
    shutil.copytree(ROOT / "examples" / "embedding", folder / "embedding", ignore=ignore)
    words = [str(BIN / "mlpack"), "render", "prod", "--project", str(folder / "embedding")]
    subprocess.run(words, check=True, capture_output=True)
    return folder / "embedding"


@pytest.mark.parametrize(
    ("ends", "allowed", "verdict", "code"),
    [
        (0, "false", "passed", 0),
        (1, "false", "failed", 1),
        (4, "false", "not-proven", 4),
        (4, "true", "not-proven", 0),
        (75, "true", "error", 75),
    ],
)
def test_the_verify_step(ends: int, allowed: str, verdict: str, code: int, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    stand_in = programs / "mlpack"
    stand_in.write_text(STAND_IN)
    stand_in.chmod(stand_in.stat().st_mode | stat.S_IXUSR)
    runner = Runner(tmp_path, profiles="prod gpu", project="a folder", allow_not_proven=allowed)
    runner.path = f"{programs}:{runner.path}"
    done = runner.step("verify", CALLS=str(tmp_path / "calls"), ENDS=str(ends))
    assert done.returncode == code, done.stderr
    assert runner.said("github_output") == f"verdict={verdict}\n"
    assert runner.said("github_step_summary") == "## report\n"
    assert runner.said("calls").startswith(
        "verify prod gpu --project a folder --launcher auto --annotate auto --report "
    )
    assert {path.name for path in (tmp_path / "temp" / "mlpack-report").iterdir()} == {
        "verify.json",
        "verify.html",
        "verify.md",
        "junit.xml",
    }


@pytest.mark.slow
def test_the_check_step_says_which_files_are_not_current(tmp_path: Path) -> None:
    runner = Runner(tmp_path, project="embedding")
    rendered_example(tmp_path)
    runner.path = f"{BIN}:{runner.path}"
    done = runner.step("check")
    assert (done.returncode, runner.said("github_output")) == (0, "current=true\n"), done.stdout + done.stderr
    rendered = tmp_path / "embedding" / "deploy" / "prod" / "web.env"
    rendered.write_text(rendered.read_text() + "EDITED=1\n")
    stale = runner.step("check")
    assert stale.returncode == 1
    assert re.search(
        r"^::error file=embedding/mlpack\.yaml,line=1,title=mlpack render --check::", stale.stderr, re.MULTILINE
    )
    spec = tmp_path / "embedding" / "mlpack.yaml"
    spec.write_text(spec.read_text() + "nonsense: 1\n")
    line = len(spec.read_text().splitlines())
    wrong = runner.step("check")
    assert wrong.returncode == 1
    assert f"::error file=embedding/mlpack.yaml,line={line}," in wrong.stderr, wrong.stderr


@pytest.mark.slow
def test_the_install_step_makes_the_command(tmp_path: Path) -> None:
    runner = Runner(tmp_path, python=sys.executable)
    done = runner.step("install")
    assert done.returncode == 0, done.stderr
    folder = runner.said("github_path").strip()
    shown = subprocess.run([f"{folder}/mlpack", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("mlpack ")


@pytest.mark.slow
def test_the_hook_is_the_command(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    words = [*hook["entry"].split(), *hook["args"]]
    assert words == ["mlpack", "render", "--check", "prod"]
    done = subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        cwd=rendered_example(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    files = re.compile(hook["files"])
    for path in (
        "mlpack.yaml",
        "examples/embedding/deploy/prod/compose.yaml",
        "a/requirements-gpu.txt",
        "footprint.json",
    ):
        assert files.search(path), path
    assert not files.search("app.py")


def test_the_gitlab_jobs_ask_for_reports_that_verify_writes() -> None:
    jobs = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text(encoding="utf-8"))
    script = " ".join(jobs[".mlpack-verify"]["script"])
    reports = jobs[".mlpack-verify"]["artifacts"]["reports"]
    assert f"--report {reports['junit']}" in script
    from mlpack.commands.annotate import GITLAB_FILE

    assert reports["codequality"] == GITLAB_FILE
    assert json.dumps(jobs)  # plain values
