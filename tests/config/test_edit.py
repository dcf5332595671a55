"""One value changes; comments, order and everything else stay, or it is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlpack.config.edit import get_value, set_value, written
from mlpack.errors import MlpackError

SPEC = """\
# The shop's models.
name: shop   # our name
build: {python: "3.11", requirements: requirements.txt}   # one line

services:
  web:            # faces the user
    server: gunicorn
    timeout: 20s  # measured on Tuesday
    volumes:
      - data      # uploads
      # more to come
    env: {A: {from: web.concurrency}}
  worker:
    server: celery
volumes:

requests: {}
"""


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("services.web.timeout", "40s", "    timeout: 40s  # measured on Tuesday"),
        ("services.web.workers", 2, "    workers: 2"),
        ("services.worker.preload", False, "    preload: false"),
        (
            "build.apt",
            ("libgl1",),
            'build: {python: "3.11", requirements: requirements.txt, apt: [libgl1]}   # one line',
        ),
        ("services.web.volumes", ("data", "cache"), "      - cache"),
        ("services.worker.volumes", ("cache",), "    volumes: [cache]"),
        ("volumes.cache.mount", "/opt/shop/cache", "    mount: /opt/shop/cache"),
        ("verify.requests", 50, "  requests: 50"),
        ("requests.a.largest", True, "requests: {a: {largest: true}}"),
        ("name", "yes", 'name: "yes"   # our name'),
    ],
)
def test_one_value_changes_and_nothing_else(path: str, value: Any, line: str) -> None:
    changed = set_value(SPEC, path, value)
    assert line in changed.splitlines()
    assert get_value(changed, path) == (list(value) if isinstance(value, tuple) else value)
    for kept in ("# The shop's models.", "# our name", "# one line", "# faces the user", "# uploads", "# more to come"):
        assert kept in changed
    was, now = SPEC.splitlines(), changed.splitlines()
    assert len([row for row in was if row not in now]) <= 1, "more than one line changed"


def test_a_file_without_a_line_end_and_one_with_windows_ends() -> None:
    assert set_value("name: a", "target", "compose") == "name: a\ntarget: compose"
    assert yaml.safe_load(set_value("name: a\r\nx: 1\r\n", "x", 2)) == {"name": "a", "x": 2}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x {b: 1}\nc: *x\n", "a.b"),
        ("a: one\n", "a.b"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "a.b"),
        ("- a\n", "a"),
        ("a: [", "a"),
    ],
)
def test_what_cannot_be_changed_alone_is_refused(text: str, path: str) -> None:
    with pytest.raises(MlpackError, match="cannot be changed alone"):
        set_value(text, path, 2)


@given(value=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_every_text_is_read_back_as_it_was_meant(value: str) -> None:
    assert yaml.safe_load(f"a: {written(value)}") == {"a": value}


KEYS = st.sampled_from(["a", "b", "c-d"])
TREES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.sampled_from(["x", "20s", "yes"])),
    lambda below: st.one_of(st.dictionaries(KEYS, below, max_size=3), st.lists(below, max_size=3)),
    max_leaves=12,
)


@given(tree=st.dictionaries(KEYS, TREES, min_size=1), path=st.lists(KEYS, min_size=1, max_size=3), flow=st.booleans())
def test_any_tree_is_changed_at_that_place_only_or_refused(tree: dict[str, Any], path: list[str], flow: bool) -> None:
    text = yaml.safe_dump(tree, default_flow_style=flow)
    try:
        changed = set_value(text, ".".join(path), 7)
    except MlpackError:
        return
    assert get_value(changed, ".".join(path)) == 7
