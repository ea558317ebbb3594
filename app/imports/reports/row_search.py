"""What became of a row: the failed rows of all imports in which a text stands."""

import re
import uuid
from functools import partial
from itertools import groupby
from operator import itemgetter
from time import perf_counter
from typing import NamedTuple

from app.imports.reports import seller_file
from app.queries import ImportKey
from app.queries.imports import row_search as queries
from app.queries.imports.row_search import START, FoundRow, RowPlace

#: A page's search stops after the search window in which this many seconds have passed.
_LOOK_SECONDS = 0.2


class FoundPage(NamedTuple):
    """A page of failed rows."""

    #: Newest import first.
    rows: list[FoundRow]
    #: The position at which the next page begins; None on the last page.
    next: str | None
    #: Whether the search stopped before it had found enough.
    is_broken_off: bool


def find(seller_id: int, text: str, *, after: str, limit: int) -> FoundPage:
    """The first ``limit`` failed rows after a position that contain ``text``, or fewer when the time is up.

    Positions come from ``FoundPage.next``; any other text, as well as an empty one, means the newest import.
    """
    ends_at = perf_counter() + _LOOK_SECONDS
    found: list[RowPlace] = []
    reached: RowPlace | None = None
    begin, find_more = _read_place(seller_id, after), partial(_find_in_own, seller_id, text)
    for window in queries.iter_windows(seller_id, text, after=begin, most=limit + 1, find_more=find_more):
        found += window.found
        reached = window.reached
        if len(found) > limit or perf_counter() > ends_at:
            break
    is_full = len(found) > limit
    if is_full:
        found, reached = found[:limit], found[limit - 1]
    rows = _tell(seller_id, queries.load(seller_id, found))
    place = None if reached is None else _write_place(seller_id, reached)
    return FoundPage(rows, place, place is not None and not is_full)


def _find_in_own(seller_id: int, text: str, places: list[RowPlace]) -> set[RowPlace]:
    """Those of these rows in whose own text, in the file that their seller has uploaded, a text stands."""
    found: set[RowPlace] = set()
    for import_id, of_import in groupby(places, key=itemgetter(0)):
        own = seller_file.find(ImportKey(seller_id, import_id))
        if own and own.has_text:
            found.update((import_id, line) for line in own.find_text([line for _, line in of_import], text))
    return found


def _tell(seller_id: int, rows: list[FoundRow]) -> list[FoundRow]:
    """``rows`` with the lines and texts of the files that their seller has uploaded."""
    own = seller_file.find_many(seller_id, {row.public_id for row in rows})
    return [
        row._replace(error=own[row.public_id].tell([row.error])[0]) if row.public_id in own else row for row in rows
    ]


def _write_place(seller_id: int, place: RowPlace) -> str | None:
    public_id = queries.find_public_id(seller_id, place[0])
    return f"{public_id}.{place[1]}" if public_id else None


def _read_place(seller_id: int, text: str) -> RowPlace:
    found = re.fullmatch(r"([0-9a-f-]{36})\.([0-9]{1,9})", text)
    try:
        import_id = found and queries.find_import_id(seller_id, uuid.UUID(found[1]))
    except ValueError:
        import_id = None
    return (import_id, int(found[2])) if found and import_id else START
