"""A filter as parsed from the query of a URL, with its form fields and faults."""

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
