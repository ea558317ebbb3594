"""Changes listings by hand: locks them, and writes what differs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from app.queries import as_columns, driver_cursor
from app.queries.listings.listings import ListingKey


class Editable(NamedTuple):
    """What can be changed of a listing by hand."""

    #: In pence.
    price: int
    quantity: int
    hidden: bool


def lock(seller_id: int, keys: Collection[ListingKey]) -> dict[ListingKey, Editable]:
    """The seller's listings with these ``keys``, locked in the order in which chunks lock them (see ``listings``)."""
    if not keys:
        return {}
    with driver_cursor() as cursor:
        cursor.execute(
            """
            select k.item_id, k.condition, k.variants, l.price, l.quantity, l.hidden
            from unnest(%b::int[], %b::smallint[], %b::text[]) as k (item_id, condition, variants)
            cross join lateral (
                select * from listings l
                where l.seller_id = %s
                    and l.item_id = k.item_id and l.condition = k.condition and l.variants = k.variants
                for no key update
            ) l
            """,
            (*as_columns(sorted(keys)), seller_id),
        )
        return {(item, condition, variants): Editable(*values) for item, condition, variants, *values in cursor}


def write(seller_id: int, changes: Mapping[ListingKey, Editable]) -> None:
    """Write ``changes`` to listings that ``lock`` has locked in this transaction.

    The import and line that last changed a listing stay: no import has done this.
    """
    if not changes:
        return
    with driver_cursor() as cursor:
        cursor.execute(
            """
            update listings l set price = k.price, quantity = k.quantity, hidden = k.hidden,
                edits = coalesce(l.edits, 0) + 1, edited_at = now(), updated_at = now()
            from unnest(%b::int[], %b::smallint[], %b::text[], %b::int[], %b::int[], %b::bool[])
                as k (item_id, condition, variants, price, quantity, hidden)
            where l.seller_id = %s
                and l.item_id = k.item_id and l.condition = k.condition and l.variants = k.variants
            """,
            (*as_columns([(*key, *change) for key, change in changes.items()]), seller_id),
        )
