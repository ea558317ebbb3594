"""The changes that a check predicts: a sample of the most striking ones."""

from collections.abc import Collection
from typing import Any, NamedTuple

from app.csvfile.columns import FIELDS, VALUES, Column, as_cell
from app.queries import ImportKey, driver_cursor, fetch_as
from app.queries.listings.listings import ListingKey, StoredListing

#: The columns of the values before and after, in the order in which they are stored: those of the first layout, then
#: those of the next, so that the values of an earlier release are the first of them.
_COLUMNS = sorted(FIELDS, key=lambda column: column.spec.since)

#: How much a new price counts as a surprise: the ratio of the larger to the smaller.
_BEFORE, _AFTER = (f"{side}[{_COLUMNS.index(Column.PRICE) + 1}]::float8" for side in ("before", "after"))
_PRICE_RATIO = f"greatest({_BEFORE} / {_AFTER}, {_AFTER} / {_BEFORE})"


class Foreseen(NamedTuple):
    """The change that a row of a check would make to a listing."""

    line: int
    key: ListingKey
    before: StoredListing
    after: StoredListing


class RecordedChange(NamedTuple):
    """A foreseen change as it was recorded; see ``models.ForeseenChange``."""

    line: int
    urn: str
    name: str
    condition: int
    variants: str
    #: The values before and after, by column.
    before: dict[Column, str]
    after: dict[Column, str]


def insert(key: ImportKey, changes: Collection[Foreseen]) -> None:
    """Record changes of an import."""
    if not changes:
        return
    columns = "seller_id, import_id, line, item_id, condition, variants, before, after"
    with driver_cursor().copy(f"copy foreseen_changes ({columns}) from stdin") as copy:
        for change in changes:
            copy.write_row((*key, change.line, *change.key, _cells(change.before), _cells(change.after)))


def _cells(listing: StoredListing) -> list[str]:
    """The values of a listing in the import format, in the order of ``_COLUMNS``."""
    values = {**dict(zip(VALUES, listing.values, strict=True)), Column.HIDDEN: listing.hidden}
    return [as_cell(values[column]) for column in _COLUMNS]


def list_most_striking(key: ImportKey, *, limit: int) -> list[RecordedChange]:
    """The recorded changes of an import, those first whose price would change most, others in the order of the file."""
    query = f"""
        select c.line, i.urn, i.name, c.condition, c.variants, c.before, c.after
        from (
            select * from foreseen_changes where seller_id = %(seller_id)s and import_id = %(import_id)s
            order by {_PRICE_RATIO} desc, line limit %(limit)s
        ) c join items i on i.id = c.item_id
        order by {_PRICE_RATIO} desc, c.line
    """
    return fetch_as(_recorded, query, key, limit=limit)


def _recorded(*, before: list[str], after: list[str], **others: Any) -> RecordedChange:
    return RecordedChange(before=_by_column(before), after=_by_column(after), **others)


def _by_column(cells: list[str]) -> dict[Column, str]:
    # A row of an earlier release lacks the columns that are new.
    return dict(zip(_COLUMNS, cells, strict=False))
