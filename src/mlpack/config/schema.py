"""JSON schemas: of mlpack.yaml as people write it (human keys, units, short forms), and of every noun's JSON.

The spec's schema is derived from Spec and the same tables that read it: keys from ``shape``, short forms from
``short``. So an editor completes and checks what mlpack accepts, and there is no second list of keys.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_args

from mlpack.audit.finding import AuditReport
from mlpack.config.check.services import RUNS_AN_APP
from mlpack.config.schema_docs import docstrings, nouns_below
from mlpack.config.shape import keys_of
from mlpack.config.short import FIELD_FORMS, NOUN_FORMS, VERBS, argv, command
from mlpack.doctor.facts import DoctorReport
from mlpack.footprint import FootprintFile
from mlpack.host import HostFacts
from mlpack.lock import Lock
from mlpack.noun import Noun
from mlpack.plan import Plan
from mlpack.report import VerifyReport
from mlpack.servers import SERVERS
from mlpack.servers.base import Role
from mlpack.spec import EnvValue, FactName, Request, Service, Spec, Step

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
NOUNS: Mapping[str, type[Noun]] = {
    "plan": Plan,
    "host": HostFacts,
    "report": VerifyReport,
    "lock": Lock,
    "footprint": FootprintFile,
    "audit": AuditReport,
    "doctor": DoctorReport,
}
NAMES = ("spec", "profile", *NOUNS)
PATTERNS = {
    "size": r"^\s*\d+(\.\d+)?\s*([bkmgtBKMGT]([iI]?[bB])?)\s*$",
    "duration": r"^\s*(\d+(\.\d+)?\s*([mM][sS]|[sSmMhHdD])\s*)+$",
    "rate": r"^\s*\d+(\.\d+)?\s*/\s*(ms|[smhd])\s*$",
}
"""What ``units`` parses, for editors."""
NEEDED: Mapping[tuple[Role, ...], str] = {RUNS_AN_APP: "app", ("proxy",): "to", ("llm",): "models"}
"""What a service of these roles must have; see config/check/services.py."""
TEXT: Schema = {"type": ["string", "integer"]}
"""A whole number is taken as the text it is spelt with; ``3.10`` and ``yes`` are refused."""
WORDS: Schema = {"type": "array", "items": TEXT}


def schema(name: str) -> Schema:
    """The schema called ``name``, one of NAMES. Raises KeyError for others."""
    if name in ("spec", "profile"):
        return _written(partial=name == "profile")
    noun = NOUNS[name]
    made = noun.model_json_schema(mode="serialization")
    for part, definition in {**made.get("$defs", {}), noun.__name__: made}.items():
        known = nouns_below(noun).get(part)
        if known is not None:
            _describe(definition, known, {field: field for field in definition.get("properties", {})})
    return {"$schema": DRAFT, **made}


def _written(*, partial: bool) -> Schema:
    """mlpack.yaml; ``partial``: a profile, which may leave everything out."""
    base = Spec.model_json_schema(mode="validation")
    nouns = nouns_below(Spec)
    given = {**base.pop("$defs"), "Spec": base}
    defs: Schema = {}
    for name, noun in nouns.items():
        for suffix in ("", "Partial"):
            defs[name + suffix] = _noun(noun, given[name], suffix)
    root = defs.pop("SpecPartial" if partial else "Spec")
    if partial:
        defs = {name: value for name, value in defs.items() if name.endswith("Partial")}
    else:
        profile = {**defs.pop("SpecPartial", {}), "description": "What this profile changes: any part of the spec."}
        defs["Profile"] = {**profile, "type": ["object", "null"]}
        root["properties"]["profiles"] = {
            "type": ["object", "null"],
            "description": "Profiles of this project by name; chosen on the command line, merged left to right.",
            "additionalProperties": {"$ref": "#/$defs/Profile"},
        }
    defs.pop("Spec", None)
    return {"$schema": DRAFT, "title": "a profile of mlpack" if partial else "mlpack.yaml", **root, "$defs": defs}


def _noun(noun: type[Noun], given: Schema, suffix: str) -> Schema:
    """One mapping as written. ``suffix`` goes to the references: required keys are dropped in partial forms."""
    fields = given.get("properties", {})
    needed = given.get("required", [])
    properties: Schema = {}
    for key, known in keys_of(noun).items():
        form = FIELD_FORMS.get((noun, key))
        if known.unit is not None:
            properties[key] = _quantity(known.unit.name, known.unit.example, fields[known.field])
        elif form in (command, argv):
            properties[key] = _command() if form is command else {"anyOf": [TEXT, WORDS]}
        else:
            properties[key] = _adapted(fields[known.field], suffix)
        if suffix or known.field not in needed:
            properties[key] = _or_null(properties[key])
    made: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    required = [key for key, known in keys_of(noun).items() if known.field in needed]
    if required and not suffix:
        made["required"] = required
    _describe(made, noun, {key: known.field for key, known in keys_of(noun).items()})
    return _formed(noun, made, suffix)


def _formed(noun: type[Noun], made: Schema, suffix: str) -> Schema:
    """``made`` with the short forms of ``noun`` beside the long one; every noun of NOUN_FORMS has a case here."""
    if noun is EnvValue:
        facts = "|".join(get_args(FactName))
        reference = {"type": "string", "pattern": rf"^[^.\s]+\.({facts})$"}
        long = [_only("from", reference), _only("secret", {"type": "string"})]
        return {"description": made["description"], "anyOf": [{"type": ["string", "number"]}, *long]}
    if noun is Step:
        path = {"type": "string", "description": "The path, like /predict; {id} is taken from an earlier JSON answer."}
        made["properties"] |= dict.fromkeys(VERBS, path)
        if not suffix:
            made["oneOf"] = [{"required": [key]} for key in (*VERBS, "path", "run")]
            made["dependentRequired"] = {"method": ["path"]}
        return made
    if noun is Request:
        step = _noun(Step, Step.model_json_schema(mode="validation"), suffix)
        step["properties"] = {"largest": made["properties"]["largest"], **step["properties"]}
        made["properties"]["steps"] = {**made["properties"]["steps"], "minItems": 1}
        return {"description": made["description"], "anyOf": [made, {**step, "description": "A request of one step."}]}
    if noun is Service and not suffix:
        made["allOf"] = [*(_needed(roles, key) for roles, key in NEEDED.items()), _pooled()]
    if noun is Spec and not suffix:
        made["properties"]["services"]["minProperties"] = 1
    if noun in NOUN_FORMS:
        raise AssertionError(f"{noun.__name__} has a short form that its schema does not say")
    return made


def _needed(roles: tuple[Role, ...], key: str) -> Schema:
    """Servers of ``roles`` need ``key``; the others of them would ignore it."""
    servers = [name for name, server in SERVERS.items() if server.FACTS.role in roles]
    ours = {"properties": {"server": {"enum": servers}}, "required": ["server"]}
    free = key == "models"  # every program that runs an app may have models too
    ignored = {} if free else {"else": {"properties": {key: {"type": "null"}}}}
    said = {"required": [key], "properties": {key: {"not": {"type": "null"}}}}
    return {"if": ours, "then": said, **ignored}


def _pooled() -> Schema:
    """``pool`` means something to servers with pools only."""
    servers = [name for name, server in SERVERS.items() if server.FACTS.pools]
    ours = {"properties": {"server": {"enum": servers}}, "required": ["server"]}
    return {"if": ours, "else": {"properties": {"pool": {"type": "null"}}}}


def _only(key: str, value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": {key: value}, "required": [key]}


def _command() -> Schema:
    return {"anyOf": [TEXT, {"type": "array", "items": {"anyOf": [TEXT, WORDS]}}]}


def _quantity(name: str, example: str, given: Schema) -> Schema:
    text, described = {"type": "string", "pattern": PATTERNS[name]}, {"description": f"A {name}, like {example}."}
    if name == "size":
        return text | described  # a bare number is refused
    number = {key: value for key, value in _inner(given).items() if key.endswith("imum")}
    return {"anyOf": [text, {"type": "number", **number}], **described}


def _inner(given: Schema) -> Schema:
    """The schema without its ``null``."""
    options = [option for option in given.get("anyOf", [given]) if option.get("type") != "null"]
    return dict(options[0])


def _adapted(given: Schema, suffix: str) -> Schema:
    """pydantic's schema of a value as a person may write it: references to our definitions, texts as TEXT."""
    if "anyOf" in given:
        options = [_adapted(option, suffix) for option in given["anyOf"]]
        return {"anyOf": options}
    made = {key: value for key, value in given.items() if key not in ("title", "default")}
    if "$ref" in made:
        return {"$ref": made["$ref"] + suffix}
    if made.get("type") == "string" and not {"enum", "const", "pattern"} & set(made):
        return made | TEXT
    if made.get("type") == "array":
        return {"type": "array", "items": _adapted(made["items"], suffix)}
    if made.get("type") == "object":
        for key in ("additionalProperties", "patternProperties"):
            if key in made:
                values = made[key] if key == "patternProperties" else {"": made[key]}
                below = {name: _below(value, suffix) for name, value in values.items()}
                made[key] = below if key == "patternProperties" else below[""]
        if "patternProperties" in made:
            made["additionalProperties"] = False  # what is no name
    return made


def _below(given: Any, suffix: str) -> Any:
    """A named value of a mapping; a noun may be left empty, a text or an environment value may not."""
    if not isinstance(given, dict):
        return given
    made = _adapted(given, suffix)
    return _or_null(made) if "$ref" in given and not given["$ref"].endswith("/EnvValue") else made


def _or_null(made: Schema) -> Schema:
    """An empty key means that its default holds."""
    if not made or "anyOf" in made:
        options = made.get("anyOf", [])
        return {**made, "anyOf": [*options, {"type": "null"}]} if options and {"type": "null"} not in options else made
    if "$ref" in made or "enum" in made or "const" in made:
        return {"anyOf": [made, {"type": "null"}]}
    kinds = made["type"] if isinstance(made["type"], list) else [made["type"]]
    return {**made, "type": [*kinds, "null"]}


def _describe(made: Schema, noun: type[Noun], fields: Mapping[str, str]) -> None:
    """Docstrings of ``noun`` and its fields as descriptions. ``fields``: key of ``made`` -> field of ``noun``."""
    said = docstrings(noun)
    if noun.__doc__:
        made["description"] = inspect.cleandoc(noun.__doc__)
    for key, field in fields.items():
        text = said.get(field)
        if text and key in made.get("properties", {}):
            before = made["properties"][key].get("description", "")
            made["properties"][key] = {**made["properties"][key], "description": f"{text} {before}".strip()}
