"""The listings that an undo has kept or would keep, each with the reason, as a page and as a download."""

import uuid
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.csvfile.contract import Condition
from app.csvfile.guard import guard_if_guarded
from app.csvfile.write import csv_lines, in_pieces
from app.imports.reports import seller_file
from app.queries import ImportKey, without_transaction
from app.queries.imports import undo_listings
from app.queries.imports.undo_listings import Kept
from app.queries.listings.listings import ListingKey
from app.statuses import ImportKind

#: Rows that are read at once for a download.
_ROWS_AT_ONCE = 2_000

#: The columns of the download.
COLUMNS = ("URN", "NAME", "CONDITION", "VARIANTS", "REASON", "IMPORT_ID", "LINE")


class KeptShown(NamedTuple):
    """A listing that an undo has kept."""

    urn: str
    name: str
    condition: Condition
    variants: str
    #: Why, in a sentence.
    reason: str
    #: The import or undo that has changed it since, and the line of that import.
    changer_id: uuid.UUID | None
    changer_name: str
    line: int | None


class Page(NamedTuple):
    """Some of the listings that an undo has kept."""

    rows: list[KeptShown]
    #: The place of the last of them if there are more, for the next page.
    after: str


def list_page(key: ImportKey, *, limit: int, after: str = "") -> Page:
    """The kept listings behind the place ``after``; a place that none has is the beginning."""
    found = undo_listings.list_kept(key, limit=limit + 1, after=_read_place(after))
    shown = found[:limit]
    return Page(_show(key.seller_id, shown), "~".join(map(str, shown[-1].key)) if len(found) > limit else "")


def list_foreseen(key: ImportKey, *, limit: int) -> list[KeptShown]:
    """Some of the listings that an undo of this import would keep; none once an undo has been begun."""
    return _show(key.seller_id, undo_listings.list_to_keep(key, limit=limit))


def stream(key: ImportKey) -> Iterator[bytes]:
    """All of them as a CSV file."""
    return in_pieces(csv_lines(_lines(key)))


def _lines(key: ImportKey) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    for shown in without_transaction(_pages(key)):
        yield (
            shown.urn,
            guard_if_guarded(shown.name),
            shown.condition.name,
            shown.variants,
            shown.reason,
            str(shown.changer_id or ""),
            str(shown.line or ""),
        )


def _pages(key: ImportKey) -> Iterator[list[KeptShown]]:
    after: ListingKey = (0, 0, "")
    while found := undo_listings.list_kept(key, limit=_ROWS_AT_ONCE, after=after):
        yield _show(key.seller_id, found)
        after = found[-1].key


def _show(seller_id: int, found: Sequence[Kept]) -> list[KeptShown]:
    """Kept listings for display; the line that has changed one is that of the file that the seller has uploaded."""
    changed = [(one.changer_id, one.line) for one in found if one.changer_id and one.line is not None]
    own_lines: dict[tuple[uuid.UUID | None, int | None], int] = {
        (changer, line): own_line
        for changer, file in seller_file.find_many(seller_id, {changer for changer, _ in changed}).items()
        for line, own_line in file.find_lines(line for each, line in changed if each == changer).items()
    }
    own = (one._replace(line=own_lines.get((one.changer_id, one.line), one.line)) for one in found)
    return [
        KeptShown(
            urn=one.urn,
            name=one.name,
            condition=Condition(one.key[1]),
            variants=one.key[2],
            reason=_explain(one),
            changer_id=one.changer_id,
            changer_name=one.changer_name or "",
            line=one.line,
        )
        for one in own
    ]


def _explain(one: Kept) -> str:
    if one.is_unrecorded:
        return "What it was before was not recorded: an earlier release of Sluice updated it."
    if one.changer_kind is ImportKind.UNDO:
        by = "Put back by another undo since"
    elif one.line is not None:
        by = f"Updated since, by line {one.line:,} of {one.changer_name or 'an import whose record is deleted'}"
    else:
        by = ""
    if one.is_edited:
        return f"{by}, and changed by hand." if by else "Changed by hand since."
    return f"{by}." if by else "Changed since, by an import or undo whose record is deleted."


def _read_place(place: str) -> ListingKey:
    item_id, _, rest = place.partition("~")
    condition, _, variants = rest.partition("~")
    # The database cannot be asked for larger numbers, nor for a NUL.
    is_place = item_id.isdecimal() and len(item_id) <= 9 and condition in {str(one.value) for one in Condition}
    return (int(item_id), int(condition), variants) if is_place and "\0" not in variants else (0, 0, "")
