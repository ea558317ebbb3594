"""The words that other tools have for what a column is."""

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from app.imports.foreign.mapping import plain

#: Ends a word that matches every name that begins with it.
_PREFIX = "…"


def normalise(name: str) -> str:
    """A column's name as compared: lower case, without accents, spaces and signs; a sign alone stays as it is.

    Unlike ``mapping.normal``, it keeps the date of an export: the dictionary has such names by their beginnings.
    """
    return plain(name).replace(" ", "") or name.strip()


class Words:
    """Names of columns, exact ones and beginnings, with what each means."""

    def __init__(self, meanings: Iterable[tuple[str, str]]) -> None:
        self._exact: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        for word, meaning in meanings:
            kept = self._prefixes if word.endswith(_PREFIX) else self._exact
            kept.setdefault(normalise(word.removesuffix(_PREFIX)), meaning)

    def find(self, name: str) -> str | None:
        """What the column called ``name`` means, or None."""
        wanted = normalise(name)
        if wanted in self._exact:
            return self._exact[wanted]
        return next((meaning for prefix, meaning in self._prefixes.items() if wanted.startswith(prefix)), None)


@cache
def fields() -> Words:
    """For each spelling the field it may be."""
    return Words((word, field) for field, words in _load()["fields"].items() for word in words)


@cache
def spellings() -> tuple[tuple[str, str], ...]:
    """All words for fields, as compared and as they are spelled, without beginnings."""
    words = (word for several in _load()["fields"].values() for word in several)
    return tuple((normalise(word), word) for word in words if not word.endswith(_PREFIX))


@cache
def look_alikes(field: str) -> Words:
    """The names that look like ``field`` and are something else."""
    return Words((word, field) for word in _load()["look_alikes"].get(field, ()))


@cache
def _known() -> Words:
    tables = _load()
    words = (word for table in tables.values() for several in table.values() for word in several)
    return Words((word, "known") for word in words)


def is_known(name: str) -> bool:
    """Whether ``name`` is a column of some tool, whatever it means."""
    return _known().find(name) is not None


@cache
def _load() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
