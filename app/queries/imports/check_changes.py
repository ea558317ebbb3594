"""The changes that a check predicts: a sample of the most striking ones."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from app.csvfile.columns import FIELDS, VALUES, Column, as_cell
from app.queries import ImportKey, driver_cursor
from app.queries.listings.listings import ListingKey, StoredListing

#: How much a new price counts as a surprise: the ratio of the larger to the smaller.
_PRICE_AT = f"array_position(columns, '{Column.PRICE}')"
_BEFORE, _AFTER = (f"{side}[{_PRICE_AT}]::float8" for side in ("before", "after"))
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
    #: The columns of the values before and after.
    columns: list[str]
    before: list[str]
    after: list[str]


def insert(key: ImportKey, changes: Collection[Foreseen]) -> None:
    """Record changes of an import."""
    if not changes:
        return
    with driver_cursor() as cursor, cursor.copy(f"copy foreseen_changes ({', '.join(_TYPES)}) from stdin") as copy:
        copy.set_types(list(_TYPES.values()))
        for change in changes:
            before, after = _cells(change.before), _cells(change.after)
            copy.write_row((*key, change.line, *change.key, [*before], [*before.values()], [*after.values()]))


_TYPES = {
    "seller_id": "int4",
    "import_id": "int8",
    "line": "int4",
    "item_id": "int4",
    "condition": "int2",
    "variants": "text",
    "columns": "text[]",
    "before": "text[]",
    "after": "text[]",
}


def _cells(listing: StoredListing) -> dict[str, str]:
    """The values of a listing in the import format, by column, in order."""
    values = {**dict(zip(VALUES, listing.values, strict=True)), Column.HIDDEN: listing.hidden}
    return {column.value: as_cell(values[column]) for column in FIELDS}


def list_most_striking(key: ImportKey, *, limit: int) -> list[RecordedChange]:
    """The recorded changes of an import, those first whose price would change most, others in the order of the file."""
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            select c.line, i.urn, i.name, c.condition, c.variants, c.columns, c.before, c.after
            from (
                select * from foreseen_changes where seller_id = %s and import_id = %s
                order by {_PRICE_RATIO} desc, line limit %s
            ) c join items i on i.id = c.item_id
            order by {_PRICE_RATIO} desc, c.line
            """,
            (*key, limit),
        )
        return [RecordedChange(*row) for row in cursor.fetchall()]
