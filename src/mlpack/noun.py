"""The base of every noun: a frozen value that refuses unknown keys and has one JSON form."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """Frozen, closed, compared by value. ``to_json`` is deterministic: the same value gives the same bytes."""

    model_config = ConfigDict(
        frozen=True,
        defer_build=True,  # validators are built at first use: no command needs all nouns, and all take 50 ms
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,  # ``json_`` in Python is ``json`` in files
        serialize_by_alias=True,
    )

    def to_json(self) -> str:
        """This value as indented JSON ending in a newline; fields in their declared order."""
        return self.model_dump_json(indent=2) + "\n"
