"""The formats that are recognised by their columns: one data file each in ``formats/``, loaded and checked here."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from app.imports.foreign import words
from app.imports.foreign.mapping import VERSION, Mapping, positions, signature
from app.imports.foreign.reasons import SENTENCES

_FILES = Path(__file__).parent / "formats"


class Format(NamedTuple):
    """A format of some tool."""

    key: str
    #: For sellers.
    name: str
    #: The columns by which it is recognised; see ``mapping.Source`` for those that end in ``*``.
    signature: tuple[str, ...]
    #: Whether a file with any other column is not of this format.
    is_whole: bool
    #: Columns that are nothing for us, although they are called like a field.
    unused: tuple[str, ...]
    mapping: Mapping

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether a file with these columns is of this format."""
        if self.is_whole and len(signature(columns)) != len(self.signature):
            return False
        return all(positions(columns, one) for one in self.signature)


@cache
def formats() -> tuple[Format, ...]:
    """All formats, those with the longest signatures first."""
    found = (_load(path) for path in sorted(_FILES.glob("*.toml")))
    return tuple(sorted(found, key=lambda one: -len(one.signature)))


def recognise(columns: Sequence[str]) -> Format | None:
    """The format of a file with these columns, in whatever order."""
    return next((one for one in formats() if one.fits(columns)), None)


def find(key: str) -> Format | None:
    """The format with this key."""
    return next((one for one in formats() if one.key == key), None)


def _load(path: Path) -> Format:
    """Raises ValueError or KeyError for a file that is not right."""
    entry = tomllib.loads(path.read_text("utf-8"))
    name, signature = entry.pop("name"), tuple(entry.pop("signature"))
    # How its description is known.
    del entry["seen"]
    is_whole, unused = entry.pop("only", False), tuple(entry.pop("unused", ()))
    mapping = Mapping.from_json({**entry, "version": VERSION, "format": path.stem})
    if mapping.scale and mapping.scale not in words.scales():
        raise ValueError(f"{path.name}: there is no scale “{mapping.scale}”.")
    if unknown := {one.reason for one in mapping.filters} - SENTENCES.keys():
        raise ValueError(f"{path.name}: there is no reason “{unknown.pop()}”.")
    return Format(path.stem, name, signature, is_whole, unused, mapping)
