"""The listings that chunks found as their rows want them, and what these rows would have said; see ``LeftAlone``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from app.queries import BatchKey, as_columns, driver_cursor
from app.queries.listings.listings import ListingKey
from app.queries.status_sets import GIVEN_UP, UNFINISHED_BATCHES


class LineMarks(NamedTuple):
    """The lines of an import that have had their say about a listing."""

    #: The highest of them.
    line: int
    #: The highest of those that say something of HIDDEN, or 0.
    hidden_line: int


def record(batch: BatchKey, listings: Mapping[ListingKey, LineMarks]) -> None:
    """Note the listings that a chunk has locked and left as they are.

    Nobody needs to know once every batch before this one is finished, and none of them was given up, which an operator
    may have tried again: no lower line can come any more.
    """
    if not listings:
        return
    item_ids, conditions, variants, lines, hidden_lines = as_columns([(*key, *said) for key, said in listings.items()])
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            insert into left_alone
                (seller_id, import_id, number, first_line, item_ids, conditions, variants, lines, hidden_lines)
            select %(seller_id)s, %(import_id)s, %(number)s, %(first_line)s, %(item_ids)b::int[],
                %(conditions)b::smallint[], %(variants)b::text[], %(lines)b::int[], %(hidden_lines)b::int[]
            where exists (
                select 1 from batches b
                where b.seller_id = %(seller_id)s and b.import_id = %(import_id)s and b.number < %(number)s
                  and (b.status in {UNFINISHED_BATCHES} or {GIVEN_UP}))
            """,
            {
                **batch._asdict(),
                "first_line": min(lines),
                "item_ids": item_ids,
                "conditions": conditions,
                "variants": variants,
                "lines": lines,
                "hidden_lines": hidden_lines,
            },
        )


def find(batch: BatchKey, keys: Collection[ListingKey]) -> dict[ListingKey, LineMarks]:
    """The ``keys`` whose listings later batches than this one have left unchanged so far.

    This transaction must have locked the listings: who leaves one alone does so too, until it is noted.
    """
    if not keys:
        return {}
    item_ids, conditions, variants = as_columns(list(keys))
    with driver_cursor() as cursor:
        cursor.execute(
            """
            select k.item_id, k.condition, k.variants, max(a.line), max(a.hidden_line)
            from left_alone l
            cross join unnest(l.item_ids, l.conditions, l.variants, l.lines, l.hidden_lines)
                as a (item_id, condition, variants, line, hidden_line)
            join unnest(%(item_ids)b::int[], %(conditions)b::smallint[], %(variants)b::text[])
                as k (item_id, condition, variants)
                on k.item_id = a.item_id and k.condition = a.condition and k.variants = a.variants
            where l.seller_id = %(seller_id)s and l.import_id = %(import_id)s and l.number > %(number)s
            group by 1, 2, 3
            """,
            {**batch._asdict(), "item_ids": item_ids, "conditions": conditions, "variants": variants},
        )
        return {
            (item_id, condition, variants): LineMarks(line, hidden_line)
            for item_id, condition, variants, line, hidden_line in cursor.fetchall()
        }
