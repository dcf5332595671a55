"""The fields of a form: what the model is asked for, and whether its answer can be true.

The model chooses among what stands in the document: the schema lists the candidates, and the server, by a grammar,
lets nothing else be said. So a small model cannot make a number up, only mistake one for another.
"""

import json
import re

from forms.pdf import Content

CANDIDATES = {
    "name": r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)+\b",
    "tax_id": r"\b\d{3}-\d{2}-\d{4}\b",
    "year": r"\b20\d{2}\b(?![.\d])",
    "wages": r"\b\d{1,7}\.\d{2}\b",
    "tax_withheld": r"\b\d{1,7}\.\d{2}\b",
}
MOST_CANDIDATES = 40
EXAMPLE = (
    "Tax year: 2021\nName: Max Muster\nTax ID: 111-22-3333\nWages: 1234.50\nTax withheld: 99.00",
    '{"name": "Max Muster", "tax_id": "111-22-3333", "year": "2021", "wages": "1234.50", "tax_withheld": "99.00"}',
)


class Invalid(Exception):
    """A document without such a field, or an answer that cannot be true of it."""


def said(content: Content) -> str:
    """The document as the model reads it: text, then the rows of its tables; amounts without their commas."""
    rows = (": ".join(filter(None, row)) for row in content.tables)
    return re.sub(r"(?<=\d),(?=\d{3}\b)", "", "\n".join((content.text, *rows)))


def schema(content: Content) -> dict[str, object]:
    """What an answer must look like: for each field one of its candidates. Raises Invalid where there is none."""
    text, properties = said(content), {}
    for name, pattern in CANDIDATES.items():
        found = list(dict.fromkeys(re.findall(pattern, text)))[:MOST_CANDIDATES]
        if not found:
            raise Invalid(f"nothing in the document can be its {name}")
        properties[name] = {"type": "string", "enum": found}
    return {
        "type": "object",
        "properties": properties,
        "required": list(CANDIDATES),
        "additionalProperties": False,
    }


def messages(content: Content) -> list[dict[str, str]]:
    """The question: one example, then the document. What is the same for all comes first, so that it is cached."""
    return [
        {"role": "system", "content": "Copy the fields of the form as JSON."},
        {"role": "user", "content": EXAMPLE[0]},
        {"role": "assistant", "content": EXAMPLE[1]},
        {"role": "user", "content": said(content)},
    ]


def validate(answer: str, content: Content) -> dict[str, object]:
    """The fields of ``answer``. Raises Invalid where they cannot be true of the document."""
    try:
        found = json.loads(answer)
    except ValueError as error:
        raise Invalid("the model's answer is no JSON") from error
    if not isinstance(found, dict) or set(found) != set(CANDIDATES):
        raise Invalid("the model's answer has other fields than asked for")
    text = said(content)
    for name, value in found.items():
        if not isinstance(value, str) or value not in re.findall(CANDIDATES[name], text):
            raise Invalid(f"the model's {name} does not stand in the document")
    wages, withheld = float(found["wages"]), float(found["tax_withheld"])
    if withheld > wages:
        raise Invalid("more tax is withheld than was earned")
    return found | {"wages": wages, "tax_withheld": withheld, "year": int(found["year"])}
