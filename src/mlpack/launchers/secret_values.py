"""Secrets of a rendered deployment: made by its own deploy.sh where they are missing, and read for requests.

Values are never said, logged or written by mlpack.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlpack.errors import VerifyError
from mlpack.launchers.base import Say
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers.secrets import password_of
from mlpack.targets.compose_service import SECRETS
from mlpack.targets.secret_files import secret_names

SCRIPT = "deploy.sh"
MAKE_S = 60.0


def make_secrets(plan: Plan, folder: Path, environ: Mapping[str, str], say: Say) -> None:
    """Run ``deploy.sh secrets``, which keeps values that are there. Raises VerifyError when it cannot make them."""
    if not secret_names(plan):
        return
    script = folder / SCRIPT
    if not script.is_file():
        raise VerifyError("the script that makes secrets is missing", where=str(script), hint="`mlpack render` again")
    done = run(("sh", str(script), "secrets"), env=environ, timeout_s=MAKE_S, check=False)
    lines = [line.removeprefix(f"{SCRIPT}: ") for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.code != 0:
        said = lines[-1] if lines else f"exit code {done.code}"
        raise VerifyError(f"the secrets cannot be made: {said}", where=str(folder / SECRETS))
    for line in lines:
        say(line)


def read_secrets(plan: Plan, folder: Path) -> dict[str, str]:
    """Name -> value of every secret of ``plan`` that has one, as services get it. Raises VerifyError: unreadable."""
    passwords = {password for name in plan.services if (password := password_of(plan, name)) is not None}
    found = {}
    for name in sorted({*plan.spec.secrets, *passwords}):
        path = folder / SECRETS / name
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue  # a request that needs it says so
        except (OSError, UnicodeDecodeError) as error:
            raise VerifyError(
                f"a secret cannot be read: {type(error).__name__}", where=str(path), hint="it is a file of UTF-8 text"
            ) from error
        found[name] = text.rstrip("\n")  # as deploy.sh's `$(cat)` does
    return found
