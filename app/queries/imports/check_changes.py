"""What rows of a check would make of listings: a sample of the most striking ones."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from app.queries import ImportKey, driver_cursor
from app.queries.listings.listings import ListingKey, ListingState

#: How much a new price counts as a surprise: the ratio of the larger to the smaller.
_PRICE_RATIO = "greatest(before[1]::float8 / after[1]::float8, after[1]::float8 / before[1]::float8)"


class Foreseen(NamedTuple):
    """What a row of a check would make of a listing."""

    line: int
    key: ListingKey
    before: ListingState
    after: ListingState


class RecordedChange(NamedTuple):
    """A foreseen change as it was recorded; see ``models.ForeseenChange``."""

    line: int
    urn: str
    name: str
    condition: int
    variants: str
    before: list[str]
    after: list[str]


def insert(key: ImportKey, changes: Collection[Foreseen]) -> None:
    """Record changes of an import."""
    if not changes:
        return
    with driver_cursor() as cursor, cursor.copy("copy foreseen_changes from stdin") as copy:
        copy.set_types(["int4", "int8", "int4", "int4", "int2", "text", "text[]", "text[]"])
        for change in changes:
            copy.write_row((*key, change.line, *change.key, _texts(change.before), _texts(change.after)))


def _texts(state: ListingState) -> list[str]:
    return [
        str(state.price),
        str(state.quantity),
        str(state.hidden).lower(),
        state.comment or "",
        state.notes or "",
        state.reference or "",
    ]


def list_most_striking(key: ImportKey, *, limit: int) -> list[RecordedChange]:
    """The recorded changes of an import, those first whose price would change most, others in the order of the file."""
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            select c.line, i.urn, i.name, c.condition, c.variants, c.before, c.after
            from (
                select * from foreseen_changes where seller_id = %s and import_id = %s
                order by {_PRICE_RATIO} desc, line limit %s
            ) c join items i on i.id = c.item_id
            order by {_PRICE_RATIO} desc, c.line
            """,
            (*key, limit),
        )
        return [RecordedChange(*row) for row in cursor.fetchall()]
