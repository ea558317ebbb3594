"""What an address asks a list for, and how the form says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

_Filter = TypeVar("_Filter")


@dataclass(frozen=True, slots=True)
class Asked(Generic[_Filter]):
    """A filter, and how it stands in addresses and in the form."""

    wanted: _Filter
    #: By the names of the fields, as the form says them; only those that say something.
    values: Mapping[str, str]
    #: What cannot be made sense of, by the names of the fields, in a sentence each.
    faults: Mapping[str, str]

    @property
    def is_active(self) -> bool:
        """Whether anything is filtered out at all."""
        return self.wanted != type(self.wanted)()
