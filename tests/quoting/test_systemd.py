"""Unit files: every dialect read back by systemd itself, in a container that boots it, with texts that break others."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from tests.e2e.booted import Booted, provide_host
from tests.quoting.hostile import EXAMPLES, LINE

from mlpack.errors import SpecError
from mlpack.process import run
from mlpack.quoting.env_file import env_line
from mlpack.quoting.systemd import unit_env, unit_exec, unit_path, unit_paths, unit_text, unit_word

SEVERAL_LINES = ("a\nb", "\n", "tab\tand\rreturn", 'exec x "$@" <<END\np "$P"\nEND\n', "\x01\x1b\x7f", "a;b", ";")
TITLE = "100% of $x \\"
WORKDIR = "/srv/a $b \"c\" 'd' \\e %n é雪"
WRITABLE = ("/srv/with blank", "/srv/100%", "/srv/plain")
DUMP = (
    "import json, os, sys, pathlib\n"
    "pathlib.Path('/srv/plain/out').write_text(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(),"
    " [os.access(p, os.W_OK) for p in ('/srv/with blank', '/srv/100%', '/srv/other')]]))\n"
)


@pytest.fixture(scope="module")
def host() -> Iterator[Booted]:
    with Booted(provide_host()) as booted:
        yield booted


def put(host: Booted, path: str, text: str, folder: Path) -> None:
    """A file on the host."""
    local = folder / uuid.uuid4().hex
    local.write_text(text, encoding="utf-8")
    host.run("mkdir", "--parents", str(Path(path).parent))
    run(["docker", "cp", "--quiet", str(local), f"{host.name}:{path}"])


@pytest.mark.engine
def test_systemd_reads_back(host: Booted, tmp_path: Path) -> None:
    """Words of a command, Environment=, an environment file, a working folder and a list of folders."""
    words = [*EXAMPLES, *SEVERAL_LINES]
    host.run("mkdir", "--parents", WORKDIR, *WRITABLE, "/srv/other")
    unit = [
        "[Unit]",
        f"Description={unit_text(TITLE)}",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "ProtectSystem=strict",
        f"WorkingDirectory={unit_path(WORKDIR)}",
        f"ReadWritePaths={unit_paths(WRITABLE)}",
        *(f"Environment={unit_env((f'E{index}', text))}" for index, text in enumerate(words)),
        f"EnvironmentFile={unit_path('/etc/a b/it.env')}",
        f"ExecStart={unit_exec(['python3', '-c', DUMP, *words])}",
    ]
    put(host, "/etc/systemd/system/it.service", "\n".join(unit) + "\n", tmp_path)
    lines = [env_line((f"F{index}", text)) for index, text in enumerate(EXAMPLES)]
    put(host, "/etc/a b/it.env", "\n".join(lines) + "\n", tmp_path)
    host.run("systemctl", "daemon-reload")
    done = host.run("systemctl", "start", "it.service", check=False)
    log = host.run("journalctl", "--unit", "it.service", "--no-pager", check=False).stdout
    assert done.code == 0, done.stderr + log

    argv, environ, folder, writable = json.loads(host.run("cat", "/srv/plain/out").stdout)
    assert argv == words
    assert [environ.get(f"E{index}") for index in range(len(words))] == words
    assert [environ.get(f"F{index}") for index in range(len(EXAMPLES))] == list(EXAMPLES)
    assert folder == WORKDIR
    assert writable == [True, True, False]
    assert host.show("it.service", "Description") == "100% of $x"


@given(LINE)
def test_a_word_stays_on_its_line(text: str) -> None:
    """What systemd would take for the end of a line, or for broken UTF-8, is escaped or refused."""
    try:
        spelled = unit_exec(["/bin/x", text])
    except SpecError:
        assert any(0xFDD0 <= ord(char) <= 0xFDEF or ord(char) & 0xFFFE == 0xFFFE for char in text)
        return
    assert not any(ord(char) < 0x20 for char in spelled)


@pytest.mark.parametrize("path", [" /a", "/a ", "/a\\", "a", "/a\nb", ""])
def test_paths_that_systemd_would_read_otherwise_are_refused(path: str) -> None:
    with pytest.raises(SpecError):
        unit_path(path)


@pytest.mark.parametrize("paths", [['/a"b'], ["/a'b"], ["/a\\b"]])
def test_lists_of_paths_take_no_quotes(paths: list[str]) -> None:
    with pytest.raises(SpecError):
        unit_paths(paths)


@pytest.mark.parametrize("program", ['/a"b', "/a\\b", "/a'b", "", "/a\nb"])
def test_programs_that_systemd_refuses_are_refused_before(program: str) -> None:
    with pytest.raises(SpecError):
        unit_exec([program, "x"])


def test_only_plain_words_pass_unquoted() -> None:
    assert unit_word("150%") == "150%"
    for text in ("a%b", 'a"b', "a$b", "a\nb"):
        with pytest.raises(TypeError):
            unit_word(text)
