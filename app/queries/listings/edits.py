"""Changes listings by hand: locks them, and writes what differs."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from app.queries import as_columns, execute, fetch
from app.queries.listings.listings import HAS_KEY, UNNESTED_KEYS, ListingKey, key_arrays, key_of


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
    query = f"""
        select k.item_id, k.condition, k.variants, l.price, l.quantity, l.hidden
        from {UNNESTED_KEYS}
        cross join lateral (select * from listings l where {HAS_KEY} for no key update) l
    """
    rows = fetch(query, seller_id=seller_id, **key_arrays(sorted(keys)))
    return {key_of(row): Editable(row.price, row.quantity, row.hidden) for row in rows}


def write(seller_id: int, changes: Mapping[ListingKey, Editable]) -> None:
    """Write ``changes`` to listings that ``lock`` has locked in this transaction.

    The import and line that last changed a listing stay: no import has done this.
    """
    if not changes:
        return
    query = f"""
        update listings l set price = v.price, quantity = v.quantity, hidden = v.hidden,
            edits = coalesce(l.edits, 0) + 1, edited_at = now(), updated_at = now()
        from {UNNESTED_KEYS}
        join unnest(%(prices)b::int[], %(quantities)b::int[], %(hidden)b::bool[])
            with ordinality as v (price, quantity, hidden, place) using (place)
        where {HAS_KEY}
    """
    prices, quantities, hidden = as_columns(changes.values())
    execute(query, seller_id=seller_id, **key_arrays(changes), prices=prices, quantities=quantities, hidden=hidden)
