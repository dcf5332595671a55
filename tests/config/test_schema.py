"""The schema of mlpack.yaml says yes to what the loader accepts and no to every mistake of shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from mlpack.config.schema import NAMES, NOUNS, schema
from mlpack.config.shape import keys_of
from mlpack.config.short import FIELD_FORMS, NOUN_FORMS
from mlpack.footprint import FootprintFile
from mlpack.host import HostFacts
from mlpack.noun import Noun
from mlpack.plan import Plan
from mlpack.spec import Service, Spec

ROOT = Path(__file__).parents[2]
GOOD = sorted([*ROOT.glob("tests/specs/*.yaml"), *ROOT.glob("examples/*/mlpack.yaml")])
MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.yaml"))
REFERENCES = """circle one-namespace references to-nobody url-of-a-worker two-largest same-host-port path-and-hub
    image-and-dockerfile repeatable-alone repeatable-behind-caddy repeatable-of-any-size"""
TEXTS = """app-without-attribute env-name python-2 relative-root shell-command climbing-json climbing-path
    two-words-command measure-call"""
SPELLING = "duration octal sexagesimal-env sexagesimal-port yes-for-true tagged twice twisted-json"
BLIND = {*REFERENCES.split(), *TEXTS.split(), *SPELLING.split()}
"""Mistakes that a JSON schema of the parsed file cannot see, and why; all others it must see."""
SPEC = Draft202012Validator(schema("spec"))
PROFILE = Draft202012Validator(schema("profile"))


def complaints(validator: Draft202012Validator, data: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(data)]


def service(**fields: Any) -> dict[str, Any]:
    """A spec with one gunicorn service that has ``fields``."""
    return {"name": "a", "services": {"web": {"server": "gunicorn", "app": "a:b", **fields}}}


@pytest.mark.parametrize("name", NAMES)
def test_every_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_good_specs_are_valid(path: Path) -> None:
    assert complaints(SPEC, yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("profiles/*.yaml")), ids=lambda path: path.stem)
def test_profiles_are_valid_profiles(path: Path) -> None:
    assert complaints(PROFILE, yaml.safe_load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_mistakes_of_shape_are_seen(path: Path) -> None:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return  # no parser reads it: an editor says so before any schema
    assert bool(complaints(SPEC, data)) == (path.stem not in BLIND)


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "10m"},
        {"timeout": "1h 30m"},
        {"timeout": 90},
        {"timeout": "500MS"},
        {"max_body": "8M"},
        {"max_body": "1.5 GiB"},
        {"max_body": "1024B"},
        {"env": {"A": "text", "B": 3, "C": 0.5, "D": {"from": "web.concurrency"}, "E": {"secret": "s"}, "F": ""}},
        {"command": "python migrate.py"},
        {"command": ["python migrate.py", ["sh", "-c", "a && b"]]},
        {"models": None, "build": None, "workers": None},
    ],
)
def test_short_forms_are_valid(fields: dict[str, Any]) -> None:
    assert complaints(SPEC, service(**fields)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"timeout": "10 minutes"},
        {"timeout": 0},
        {"timeout_s": 10},
        {"max_body": "8X"},
        {"max_body": 1024},
        {"max_body": "1024"},
        {"workers": 0},
        {"workers": "2"},
        {"workers": 1.5},
        {"env": {"A": None}},
        {"env": {"A": True}},
        {"env": {"A": {"from": "web.concurency"}}},
        {"env": {"A": {"from": "web.port", "secret": "s"}}},
        {"server": "gunicron"},
        {"to": "web"},
        {"app": None},
    ],
)
def test_what_is_no_form_is_refused(fields: dict[str, Any]) -> None:
    assert complaints(SPEC, service(**fields))


@pytest.mark.parametrize(
    ("request_", "valid"),
    [
        ({"to": "web", "get": "/"}, True),
        ({"largest": True, "to": "web", "post": "/", "json": {"a": [1]}, "expect": {"json": {"ok": True}}}, True),
        ({"steps": [{"to": "web", "post": "/"}, {"run": "python check.py"}, {"run": ["a", "b"]}]}, True),
        ({"to": "web", "method": "POST", "path": "/"}, True),
        ({"to": "web", "method": "POST"}, False),
        ({"to": "web"}, False),
        ({"steps": []}, False),
        ({"steps": [{"to": "web", "patch": "/"}]}, False),
    ],
)
def test_requests(request_: dict[str, Any], valid: bool) -> None:
    assert (complaints(SPEC, {**service(), "requests": {"ask": request_}}) == []) == valid


def test_a_profile_may_leave_out_what_a_spec_may_not() -> None:
    change = {"services": {"web": {"workers": 2}}, "budget": {"memory": "2G"}}
    assert complaints(PROFILE, change) == []
    assert complaints(SPEC, change)
    assert complaints(SPEC, {**service(), "profiles": {"small": change, "empty": None}}) == []
    assert complaints(SPEC, {**service(), "profiles": {"small": {"services": {"web": {"wrokers": 2}}}}})


def test_every_key_is_offered_under_the_name_people_write() -> None:
    made = schema("spec")
    assert set(made["properties"]) == {*keys_of(Spec), "profiles"}
    assert set(made["$defs"]["Service"]["properties"]) == set(keys_of(Service))
    assert "10m" in made["$defs"]["Service"]["properties"]["timeout"]["description"]
    assert made["$defs"]["Service"]["properties"]["health"]["description"].startswith("Path that answers 200")


def test_every_short_form_has_a_case() -> None:
    assert {noun.__name__ for noun in NOUN_FORMS} == {"EnvValue", "Step", "Request"}
    assert {f"{noun.__name__}.{key}" for noun, key in FIELD_FORMS} == {"Service.command", "Step.run"}


@pytest.mark.parametrize(
    ("name", "noun", "paths"),
    [
        ("plan", Plan, sorted(ROOT.glob("tests/golden/*/plan.json"))),
        ("host", HostFacts, sorted(ROOT.glob("tests/hosts/*.json"))),
    ],
)
def test_what_mlpack_writes_is_valid(name: str, noun: type[Noun], paths: list[Path]) -> None:
    validator = Draft202012Validator(schema(name))
    assert paths
    for path in paths:
        whole = noun.model_validate_json(path.read_text(encoding="utf-8"))
        assert complaints(validator, whole.model_dump(mode="json")) == []
    assert complaints(validator, {"name": "half a plan"})


def test_files_without_content_are_valid() -> None:
    assert complaints(Draft202012Validator(schema("footprint")), FootprintFile().model_dump(mode="json")) == []
    assert set(NOUNS) < set(NAMES)
