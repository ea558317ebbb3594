"""What the database can tell of the rows that have succeeded, for whom no result of their own is stored."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from app.csvfile.contract import Condition
from app.queries import ImportKey, driver_cursor
from app.queries.listings import ListingKey


class Trace(NamedTuple):
    """What a listing remembers of the rows that wrote it."""

    created_import_id: int
    created_line: int
    #: The last import that updated it.
    updated_import_id: int | None


def listing_id(urn: str, condition: int, variants: str) -> str:
    """The id of a listing as people and programs see it: ``<urn>/<CONDITION>/<variants>``.

    It is made of what a seller has at most one listing of, so it never changes. The last part may be empty. No
    condition and no variant has a slash in it: an id can be taken apart from its end.
    """
    return f"{urn}/{Condition(condition).name}/{variants}"


def find_failed_lines(key: ImportKey, first: int, last: int) -> set[int]:
    """The lines from ``first`` to ``last`` of an import whose rows failed."""
    with driver_cursor() as cursor:
        cursor.execute(
            "select line from row_errors where seller_id = %s and import_id = %s and line between %s and %s",
            (*key, first, last),
        )
        return {line for (line,) in cursor}


def find_traces(seller_id: int, keys: Collection[ListingKey]) -> dict[ListingKey, Trace]:
    """Those of ``keys`` that the seller has a listing for, and what that remembers."""
    if not keys:
        return {}
    with driver_cursor() as cursor:
        # OFFSET 0 keeps the planner at the primary key's index, see ``queries.listings``.
        cursor.execute(
            """
            select k.item_id, k.condition, k.variants, l.created_import_id, l.created_line, l.updated_import_id
            from unnest(%b::int[], %b::smallint[], %b::text[]) as k (item_id, condition, variants)
            cross join lateral (
                select * from listings l
                where l.seller_id = %s and l.item_id = k.item_id and l.condition = k.condition
                  and l.variants = k.variants
                offset 0
            ) l
            """,
            (*map(list, zip(*sorted(keys), strict=True)), seller_id),
        )
        return {row[:3]: Trace(*row[3:]) for row in cursor}
