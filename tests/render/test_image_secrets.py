"""What lies about in a project and holds passwords or keys never reaches an image: shown by a real build."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.plans import embedding_plan

from mlpack.process import run
from mlpack.render import render

SECRETS = (
    *(".env", ".env.prod", "backend/.env", ".netrc", ".pypirc", "backend/.git-credentials", ".aws/credentials"),
    *(".ssh/id_rsa", "id_rsa", "keys/id_ed25519", "certs/tls.pem", "certs/tls.key", "store.p12", "credentials.json"),
    *("secrets/api_key", ".docker/config.json", "nested/.git/config"),
)
KEPT = ("app.py", "backend/keys.py", "environment.py")


@pytest.mark.engine
def test_files_with_secrets_stay_out_of_the_image(tmp_path: Path) -> None:
    context = tmp_path / "context"
    for name in (*SECRETS, *KEPT):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("x")
    (ignore,) = (a.text for a in render(embedding_plan()) if a.path.endswith(".dockerignore"))
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY [".", "/"]\n')
    (tmp_path / "Dockerfile.dockerignore").write_text(ignore)
    out = tmp_path / "out"
    argv = ["docker", "buildx", "build", "--quiet", "--file", str(tmp_path / "Dockerfile")]
    run([*argv, "--output", f"type=local,dest={out}", str(context)], timeout_s=120)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()) == sorted(KEPT)
