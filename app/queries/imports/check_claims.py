"""The listings that the rows of a check would make: each goes to the first row that claims it."""

from __future__ import annotations

from collections.abc import Collection

from app.queries import ImportKey, as_columns, driver_cursor
from app.queries.bulk_insert import Table, insert_missing
from app.queries.listings.listings import CreatedBy, ListingKey, NewListing, key_of, line_of

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


def take(key: ImportKey, wanted: Collection[NewListing]) -> Collection[int]:
    """Claim listings for the rows of a check that would make them; the lines that no other was faster than."""
    if not wanted:
        return ()
    return insert_missing(_NEW, sorted((*key, *key_of(one), line_of(one)) for one in wanted))


def find_makers(key: ImportKey, keys: Collection[ListingKey]) -> dict[ListingKey, CreatedBy]:
    """Which row of the check has claimed them, for those of ``keys`` that one has."""
    if not keys:
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
            (*as_columns(sorted(keys)), *key),
        )
        return {
            (item_id, condition, variants): CreatedBy(key.import_id, line)
            for item_id, condition, variants, line in cursor.fetchall()
        }
