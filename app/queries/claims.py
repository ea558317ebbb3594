"""The listings that the rows of a check would make: each goes to the first row that claims it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app.queries import ImportKey, as_columns, driver_cursor
from app.queries.keyed_insert import Table, insert_missing
from app.queries.listings import ListingKey, Maker

_NEW = Table(
    "claims",
    {
        "seller_id": "int4",
        "import_id": "int8",
        "item_id": "int4",
        "condition": "int2",
        "variants": "text",
        "line": "int4",
    },
    line="line",
)


def take(key: ImportKey, wanted: Collection[tuple[ListingKey, int]], *, expects_taken: bool) -> Collection[int]:
    """Claim listings for lines of a check; the lines that got theirs, because no other had it before.

    ``expects_taken``: that some are taken, see ``queries.keyed_insert``.
    """
    if not wanted:
        return ()
    rows = sorted((*key, *listing, line) for listing, line in wanted)
    return insert_missing(_NEW, rows, expects_existing=expects_taken)


def find_makers(key: ImportKey, keys: Iterable[ListingKey]) -> dict[ListingKey, Maker]:
    """Which row of the check has claimed them, for those of ``keys`` that one has."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    with driver_cursor() as cursor:
        # OFFSET 0 keeps the planner at the primary key's index, see ``queries.listings``.
        cursor.execute(
            """
            select k.item_id, k.condition, k.variants, c.line
            from unnest(%b::int[], %b::smallint[], %b::text[]) as k (item_id, condition, variants)
            cross join lateral (
                select * from claims c
                where c.seller_id = %s and c.import_id = %s and c.item_id = k.item_id and c.condition = k.condition
                  and c.variants = k.variants
                offset 0
            ) c
            """,
            (*as_columns(wanted), *key),
        )
        return {row[:3]: Maker(key.import_id, row[3]) for row in cursor.fetchall()}
