"""Filters in the queries of URLs: their texts, and what they come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

_Filter = TypeVar("_Filter")


@dataclass(frozen=True, slots=True)
class ParsedFilter(Generic[_Filter]):
    """A parsed filter, and its representation in URLs and in the form."""

    wanted: _Filter
    #: The form fields that are not empty, by name.
    values: Mapping[str, str]
    #: Sentences about invalid fields, by name.
    faults: Mapping[str, str]

    @property
    def is_active(self) -> bool:
        """Whether the filter excludes anything."""
        return self.wanted != type(self.wanted)()


def read_texts(args: Mapping[str, str], limits: Mapping[str, int]) -> dict[str, str]:
    """The texts of fields, each cut to its limit; empty where one is absent."""
    # The database rejects a NUL, and nothing in it contains one.
    return {name: args.get(name, "").replace("\0", "").strip()[:limit] for name, limit in limits.items()}


def read_page(args: Mapping[str, str]) -> int:
    """The number of a page, from 1 (``page``)."""
    text = args.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 5 else 1


def right_values(texts: Mapping[str, str], faults: Mapping[str, str]) -> dict[str, str]:
    """The texts that are neither empty nor invalid."""
    return {name: text for name, text in texts.items() if text and name not in faults}
