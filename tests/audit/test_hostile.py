"""Broken and hostile input: an error with file and line, never a traceback, never a bomb."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.audit import audit, override_text, read_deployment
from mlpack.errors import MlpackError

BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
BROKEN = {
    "empty": ("docker-compose.yml", b"", "empty"),
    "not-yaml": ("docker-compose.yml", b"services:\n  web: [\n", "not YAML"),
    "tab": ("docker-compose.yml", b"services:\n\tweb: {}\n", "not YAML"),
    "binary": ("docker-compose.yml", b"\xff\xfe\x00", "UTF-8"),
    "deep": ("docker-compose.yml", b"[" * 100_000, "too deep"),
    "large": ("docker-compose.yml", b"#" * (2 * 1024**2), "larger"),
    "list": ("docker-compose.yml", b"- a\n", "no services"),
    "services-text": ("docker-compose.yml", b"services: web\n", "no services"),
    "service-text": ("docker-compose.yml", b"services: {web: yes}\n", "no keys"),
    "memory": ("docker-compose.yml", b"services:\n  web:\n    image: a:1\n    mem_limit: lots\n", "yml:4"),
    "replicas": ("docker-compose.yml", b"services: {web: {image: a, deploy: {replicas: many}}}\n", "cannot be read"),
    "no-from": ("Dockerfile", b"RUN true\n", "no FROM"),
    "no-dockerfile": ("Dockerfile", b"hello\n", "no Dockerfile instruction"),
    "no-unit": ("web.service", b"hello\n", "Service"),
    "unknown": ("notes.txt", b"hello\n", "from its name"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_an_error_that_says_where(tmp_path: Path, name: str) -> None:
    file, raw, said = BROKEN[name]
    path = tmp_path / file
    path.write_bytes(raw)
    with pytest.raises(MlpackError, match=said) as raised:
        read_deployment([path], None)
    assert file in str(raised.value)


def test_missing_files_and_folders_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "docker-compose.yml", tmp_path):
        with pytest.raises(MlpackError):
            read_deployment([path], None)


@pytest.mark.parametrize(
    "text",
    [
        BOMB + "services: {web: {image: 'a:1', command: *a11, environment: *a11}}\n",
        "services: &s\n  web: &w\n    <<: *w\n    image: a:1\n",
        "services:\n  a: {extends: b, image: x}\n  b: {extends: a, image: y}\n",
        "services:\n  web:\n    build: {context: 'https://example.org/x.git', args: [A]}\n    ports: [{}, 1, null]\n"
        "    volumes: [x, {}]\n    environment: [A, '=b', null]\n"
        "    healthcheck: {test: []}\n    env_file: [{path: no}]\n",
        "services:\n  web:\n    image: ${NEVER_SET}\n    mem_limit: ${ALSO_NOT}\n    command: 'gunicorn \"'\n",
    ],
)
def test_odd_input_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "docker-compose.yml"
    path.write_text(text, encoding="utf-8")
    audit(read_deployment([path], None))


def test_hostile_names_are_quoted_in_the_override(tmp_path: Path) -> None:
    path = tmp_path / "docker-compose.yml"
    name = "we'b: {a}\\n#${X}"
    path.write_text(
        f'services:\n  "{name}":\n    image: ollama/ollama:0.9\n    mem_limit: 1g\n'
        '    environment: {TRANSFORMERS_CACHE: "$$a: b"}\n',
        encoding="utf-8",
    )
    text = override_text(audit(read_deployment([path], None)))
    assert text is not None
    import yaml

    (key,) = yaml.safe_load(text)["services"]
    assert key == "we'b: {a}\n#${X}"
    assert yaml.safe_load(text)["services"][key]["environment"] == {"HF_HUB_CACHE": "$$a: b"}
