"""Whatever bytes stand in mlpack.yaml, it loads or gives a SpecError: no traceback, no endless work."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlpack.config import LoadedSpec, load_spec
from mlpack.config.read import MAX_BYTES
from mlpack.errors import SpecError

pytestmark = pytest.mark.slow

SKETCHES = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))]
PIECES = [
    *(b"{", b"}", b"[", b"]", b":", b": ", b"- ", b"\n", b"  ", b"\t", b"#", b"&a ", b"*a", b"<<: ", b"!!str ", b"|\n"),
    *(b"'", b'"', b"null", b"~", b"yes", b"3.10", b"12:30", b"1e999", b"-", b"0", b"99999999999999999999999", b".nan"),
    *(b"\xff", b"\x00", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"---\n", b"...\n", b"%YAML 1.1\n", b"? ", b"= "),
    *(
        b"name: ",
        b"services: ",
        b"profiles: ",
        b"from",
        b"secret",
        b"{from: a.b}",
        b"steps",
        b"json: ",
        b"get: /",
        b"8M",
    ),
]


def load_bytes(raw: bytes) -> LoadedSpec | None:
    """The spec in ``raw``, or None where it is refused properly."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mlpack.yaml").write_bytes(raw)
        try:
            return load_spec(Path(folder), ["prod"])
        except SpecError as error:
            assert error.where, "an error without a place"
            assert str(error).encode("utf-8"), "an error that cannot be printed"
            return None


@given(st.binary(max_size=300))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"name: a\nservices: {? [a]: b}")
@example(b"? {a: b}\n: c")
@example("name: \ud800".encode("utf-8", "surrogatepass"))
@example(b'name: "\\ud800"')
@example(b'name: "\\0"')
@example(b"services: {a: {server: redis, cpus: 1e999}}")
@example(b"services: {a: {server: redis, memory: " + b"9" * 400 + b"G}}")
@example(b"services: {a: {server: redis, timeout: " + b"9" * 400 + b"m}}")
@settings(max_examples=300, deadline=None)
def test_random_bytes(raw: bytes) -> None:
    load_bytes(raw)


@given(st.sampled_from(SKETCHES), st.randoms(use_true_random=False), st.integers(1, 6))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_specs(raw: bytes, chance: random.Random, edits: int) -> None:
    for _ in range(edits):
        start = chance.randrange(len(raw) + 1)
        end = min(len(raw), start + chance.choice([0, 0, 1, 3, 20]))
        raw = raw[:start] + chance.choice(PIECES) + raw[end:]
    load_bytes(raw)


def test_a_valid_spec_is_among_the_mutated() -> None:
    assert all(load_bytes(raw) is not None for raw in SKETCHES)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"- a\n", "the file is not a mapping"),
        (b"text", "the file is not a mapping"),
        (b"name: caf\xe9\n", "mlpack.yaml:1: the file is not UTF-8 text"),
        (b"name: a\nservices: \x07\n", "mlpack.yaml:2: a control character"),
        (b"name: " + b"[" * 5000, "levels deep"),
        (b"- " * 5000, "levels deep"),
        (b"a: 1\n" * MAX_BYTES, "larger than"),
        (b"name: a\nprofiles: 3\nservices: {}\n", "mlpack.yaml:2 profiles: wants a mapping"),
    ],
)
def test_refusals_name_the_reason(raw: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "mlpack.yaml").write_bytes(raw)
    with pytest.raises(SpecError) as raised:
        load_spec(tmp_path)
    assert said in str(raised.value)


def test_billion_laughs_are_counted_not_unfolded(tmp_path: Path) -> None:
    lines = ['a0: &a0 ["lol", "lol"]'] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (tmp_path / "mlpack.yaml").write_text("\n".join(lines))
    with pytest.raises(SpecError, match="more than 20000 values"):
        load_spec(tmp_path)


def test_a_long_chain_of_services_needs_no_deep_stack(tmp_path: Path) -> None:
    rows = [f"  s{n}: {{server: caddy, to: s{n + 1}}}" for n in range(2000)]
    last = "  s2000: {server: redis}"
    (tmp_path / "mlpack.yaml").write_text("\n".join(["name: chain", "services:", *rows, last]))
    assert len(load_spec(tmp_path).spec.services) == 2001
