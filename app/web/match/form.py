"""The first page: the form for a file, beside the files that are not finished and the formats that are known."""

from typing import NamedTuple

from app.imports import conversions
from app.imports.foreign import recognised
from app.models import Conversion
from app.statuses import ConversionStatus

_UNCONVERTED = {
    ConversionStatus.DRAFT: "Not worked through yet",
    ConversionStatus.QUEUED: "Being worked through",
    ConversionStatus.RUNNING: "Being worked through",
    ConversionStatus.FAILED: "Could not be worked through",
}


class Unfinished(NamedTuple):
    """A file of which nothing was imported yet."""

    one: Conversion
    #: How far it is.
    state: str


def format_names() -> list[str]:
    """The formats that are recognised, for people."""
    return sorted({one.name for one in recognised.formats()}, key=str.casefold)


def unfinished(seller_id: int) -> list[Unfinished]:
    """The seller's files of the last day of which nothing was imported yet, the latest first."""
    return [Unfinished(one, _state(one)) for one in conversions.list_unfinished(seller_id)]


def _state(one: Conversion) -> str:
    if one.status != ConversionStatus.CONVERTED:
        return _UNCONVERTED[ConversionStatus(one.status)]
    count = one.undecided
    return f"{count:,} {'row is' if count == 1 else 'rows are'} open" if count else "Ready to check or import"
