"""The listings that the rows of a check would make: each goes to the first row that claims it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from psycopg import errors

from app.queries import ImportKey, as_columns, driver_cursor
from app.queries.listings import ListingKey, Maker


def take(key: ImportKey, wanted: Collection[tuple[ListingKey, int]]) -> Collection[int]:
    """Claim listings for lines of a check; the lines that got theirs, because no other had it before."""
    if not wanted:
        return ()
    rows = sorted((*listing, line) for listing, line in wanted)
    if _take_plainly(key, rows):
        return [line for *_, line in rows]
    with driver_cursor() as cursor:
        cursor.execute(
            """
            insert into claims
            select %s, %s, * from unnest(%b::int[], %b::smallint[], %b::text[], %b::int[])
            on conflict do nothing
            returning line
            """,
            (*key, *as_columns(rows)),
        )
        return {line for (line,) in cursor.fetchall()}


def _take_plainly(key: ImportKey, rows: list[tuple[int, int, str, int]]) -> bool:
    """Claim all of ``rows``, or none if one of them is taken; whether it did. See ``queries.listings.insert``."""
    with driver_cursor() as cursor:
        cursor.execute("savepoint claiming")
        try:
            with cursor.copy("copy claims from stdin (format binary)") as copy:
                copy.set_types(["int4", "int8", "int4", "int2", "text", "int4"])
                for row in rows:
                    copy.write_row((*key, *row))
        except errors.UniqueViolation:
            cursor.execute("rollback to savepoint claiming")
            return False
        cursor.execute("release savepoint claiming")
        return True


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
