# mypy: ignore-errors
"""How long a text is for a model. Random weights understand no words: only the number of tokens counts here."""

CHARACTERS = 4
"""Of one token: about what English has."""


def tokens(text):
    """The tokens of ``text``, at least one."""
    return max(1, len(text) // CHARACTERS)
