"""Texts that break naive spelling, for every round trip."""

from __future__ import annotations

from hypothesis import strategies as st

_ALPHABET = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
_SIGNS = "$\"'\\#:-%!&*|>~?[],\t =`{}é雪😀\u2028\x85\ufeff\x7f"
_WORDS = ("${X}", "$$", "$(id)", "`id`", "\\\\", " #", ": ", "- ", "{{", "}}", "\\n")
_SPICE = st.sampled_from((*_SIGNS, *_WORDS))
LINES = st.lists(st.one_of(_SPICE, st.text(_ALPHABET, max_size=5)), max_size=6).map("".join)
"""Any text, line breaks included."""
LINE = LINES.map(lambda text: text.replace("\n", "").replace("\r", ""))
"""Any text of one line, as far as dialects with values that end with the line are concerned."""
EXAMPLES = (
    "",
    " ",
    "plain",
    "knee $v2.safetensors",
    'a "quoted" word',
    "it's",
    "back\\slash\\",
    "${HOME} $(id) `id`",
    "%n %% %i",
    "no",
    "on",
    "1e3",
    "0x1F",
    "12:30",
    "2026-01-01",
    "3.10",
    "null",
    "~",
    "- x",
    "a: b",
    "a #b",
    "#b",
    "é雪😀",
    "tab\there",
    " lead and trail ",
    "{{ x }}",
    "{a}",
    "[b]",
    "*star",
    "&anchor",
    "!tag",
    "|",
    "a|b",
)
"""Texts that each broke some tool; small enough to be tried in real engines."""
