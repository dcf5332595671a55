"""Short forms, written out: each takes what the user wrote and returns the long form that Spec has, or a mistake."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

from mlpack.config.scalar import Twisted, keeps_its_text, plain_value, read_as
from mlpack.config.tree import Branch, Leaf, Row, Tree, written_as
from mlpack.noun import Noun
from mlpack.spec import EnvValue, FactName, Request, Service, Step

VERBS = ("get", "post", "put", "delete")
_REFERENCE = re.compile(r"([^.\s]+)\.([^.\s]+)")
_SHELL_WORDS = {"&&", "||", "|", ";", "&", ">", ">>", "<", "<<", "2>&1"}


class Mistake(ValueError):
    """What is wrong with a short form; the caller knows the place."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def env_value(tree: Tree) -> Tree:
    """``text``, ``{from: name.fact}`` or ``{secret: name}`` as an EnvValue's fields."""
    hint = 'write text, {from: name.fact} or {secret: name}; an empty text is ""'
    if isinstance(tree, Leaf):
        return Branch({"text": written_as(_env_text(tree), "")}, tree.mark)
    keys = set(tree.items) if isinstance(tree, Branch) else set()
    if isinstance(tree, Row) or len(keys) != 1 or not keys <= {"from", "secret"}:
        raise Mistake("is none of text, {from: ...} and {secret: ...}", hint)
    (key,) = keys
    leaf = tree.items[key]
    if not isinstance(leaf, Leaf) or not leaf.text:
        raise Mistake(f"`{key}` wants a name", hint)
    if key == "secret":
        return Branch({"secret": leaf}, tree.mark)
    match = _REFERENCE.fullmatch(leaf.text)
    if match is None:
        facts = ", ".join(get_args(FactName))
        raise Mistake(f"{leaf.text!r} is not name.fact", f"write {{from: name.fact}}; the facts are {facts}")
    of, fact = (written_as(replace(leaf, text=part, quoted=True), "from") for part in match.groups())
    return Branch({"of": of, "fact": fact}, tree.mark)


def _env_text(leaf: Leaf) -> Leaf:
    """An environment value's text; numbers are taken as they are spelt where every reader spells them so."""
    value = leaf.text if leaf.quoted else plain_value(leaf.text)
    if value is None:
        raise Mistake("has no value", 'write "" for an empty text')
    twisted = isinstance(value, bool | Twisted) or (isinstance(value, float) and not keeps_its_text(value, leaf.text))
    if twisted:
        raise Mistake(f"YAML reads {leaf.text} as {read_as(leaf.text)}, not as text", f'write "{leaf.text}" in quotes')
    return replace(leaf, quoted=True)


def step(tree: Tree) -> Tree:
    """``post: /path`` as method and path."""
    if not isinstance(tree, Branch):
        return tree
    verbs = [verb for verb in VERBS if verb in tree.items]
    if not verbs:
        return tree
    if len(verbs) > 1 or {"method", "path"} & set(tree.items):
        raise Mistake("a step is one exchange", f"keep one of {', '.join(verbs)}")
    (verb,) = verbs
    path = tree.items[verb]
    method = Leaf(verb.upper(), True, path.mark)
    rest = {key: value for key, value in tree.items.items() if key != verb}
    return Branch({"method": written_as(method, verb), "path": written_as(path, verb), **rest}, tree.mark)


def request(tree: Tree) -> Tree:
    """A request that is its only step, with ``steps`` around it."""
    if not isinstance(tree, Branch) or "steps" in tree.items or not tree.items:
        return tree
    outer = {key: value for key, value in tree.items.items() if key == "largest"}
    inner = {key: value for key, value in tree.items.items() if key != "largest"}
    only = written_as(Branch(inner, tree.mark), "")
    return Branch({**outer, "steps": written_as(Row((only,), tree.mark), "")}, tree.mark)


def command(tree: Tree) -> Tree:
    """One command, or a list of them, each as text or as a list of words: a row of argv rows."""
    if isinstance(tree, Leaf):
        return Row((written_as(argv(tree), ""),), tree.mark)
    if isinstance(tree, Row) and len(tree.items) > 1:
        texts = [item.text for item in tree.items if isinstance(item, Leaf)]
        if len(texts) == len(tree.items) and not any(" " in text for text in texts):
            one = shlex.join(texts)
            raise Mistake("is it one command or several?", f'write one as "{one}", several as a list of such lines')
    if isinstance(tree, Row):
        return replace(tree, items=tuple(argv(item) for item in tree.items))
    return tree


def argv(tree: Tree) -> Tree:
    """A command line as a row of words. No shell reads it, so shell operators are refused."""
    if not isinstance(tree, Leaf):
        return tree
    try:
        words = shlex.split(tree.text)
    except ValueError as error:
        raise Mistake(f"{tree.text!r} is not a command line: {error}", "close the quote") from error
    shell = next((word for word in words if word in _SHELL_WORDS), None)
    if shell is not None:
        hint = 'make two steps of it, or say [sh, -c, "..."]'
        raise Mistake(f"{shell} means nothing here, as no shell runs this", hint)
    return Row(tuple(replace(tree, text=word, quoted=True) for word in words), tree.mark)


NOUN_FORMS: dict[type[Noun], Callable[[Tree], Tree]] = {EnvValue: env_value, Step: step, Request: request}
FIELD_FORMS: dict[tuple[type[Noun], str], Callable[[Tree], Tree]] = {(Service, "command"): command, (Step, "run"): argv}
