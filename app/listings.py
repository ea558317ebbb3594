"""What sellers do with their listings beside importing them: search them, take them home, hide and show one."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

from app import audit
from app.audit import Action
from app.csvfile.contract import Condition
from app.extensions import db
from app.queries.imports.succeeded_rows import listing_id
from app.queries.listings import listings
from app.queries.listings import search as listing_search
from app.queries.listings.listings import ExportedListing, ListingKey
from app.queries.listings.search import ANY, START, Filter, ItemAt, ListedItem

#: A page looks no longer than this for what it shows; the stretch it is at then is the last one.
_LOOK_SECONDS = 0.12
#: Listings that a stretch of a filtered export brings at most.
_EXPORT_ROWS = 2_000

#: Stands in a place for the condition: behind all listings of the item.
_BEHIND_ITEM = "END"


class ListingNotFound(Exception):
    """The seller has no such listing."""


class Page(NamedTuple):
    """What there is to see of a search."""

    listings: list[ListedItem]
    #: The place at which the next page begins; None on the last one.
    next: str | None
    #: How far the search has come, where it was broken off before it had found enough; else None.
    broken_off_at: ItemAt | None


def search(seller_id: int, wanted: Filter, *, after: str, limit: int) -> Page:
    """The first ``limit`` listings behind a place that are wanted, as far as they are found soon.

    Places come from ``Page.next``; anything else means the beginning, as does an empty text.
    """
    ends_at = perf_counter() + _LOOK_SECONDS
    found: list[ListingKey] = []
    reached: ListingKey | None = None
    # One more than is shown tells whether there is a next page.
    for stretch in listing_search.iter_stretches(seller_id, wanted, after=_read_place(after), most=limit + 1):
        found += stretch.found
        reached = stretch.reached
        if len(found) > limit or perf_counter() > ends_at:
            break
    if len(found) > limit:
        found, reached, is_full = found[:limit], found[limit - 1], True
    else:
        is_full = False
    at = listing_search.find_item_at(reached[0]) if reached else None
    shown = listing_search.describe(seller_id, found)
    if reached is None or at is None:
        return Page(shown, None, None)
    if is_full:
        return Page(shown, listing_id(at.urn, *reached[1:]), None)
    return Page(shown, _write_place(at, reached), at)


def _write_place(at: ItemAt, key: ListingKey) -> str:
    """A key as it stands in addresses; ``at`` is its item, or the one before it if there is none."""
    _, condition, variants = key
    if condition in set(Condition):
        return listing_id(at.urn, condition, variants)
    return f"{at.urn}/{_BEHIND_ITEM}/"


def _read_place(place: str) -> ListingKey:
    urn, _, rest = place.replace("\0", "").rpartition("/")
    urn, _, condition = urn.rpartition("/")
    item_id = listing_search.find_item_id(urn) if urn else None
    if item_id is None:
        return START
    if condition == _BEHIND_ITEM:
        return listing_search.behind_item(item_id)
    return (item_id, Condition[condition], rest) if condition in Condition.__members__ else START


def iter_export(seller_id: int, wanted: Filter) -> Iterator[list[ExportedListing]]:
    """All listings that are wanted in the order of their keys, in pieces of which some are empty.

    The caller may end its transaction between two pieces.
    """
    if wanted == ANY:
        yield from listings.iter_pages(seller_id)
        return
    for stretch in listing_search.iter_stretches(seller_id, wanted, after=START, most=_EXPORT_ROWS):
        yield listing_search.export(seller_id, stretch.found)


def set_hidden(seller_id: int, urn: str, condition: Condition, variants: str, *, hidden: bool) -> ListedItem:
    """Hide a listing from buyers, or show it again; as it is then.

    Which import last changed it, and where, stays as it is: no import has done this. Raises ListingNotFound.
    """
    item_id = listing_search.find_item_id(urn)
    key = (item_id or 0, int(condition), variants)
    if item_id is None or not listing_search.set_hidden(seller_id, key, hidden=hidden):
        raise ListingNotFound
    (changed,) = listing_search.describe(seller_id, [key])
    audit.record(Action.HIDE if hidden else Action.SHOW, seller_id, detail=listing_id(urn, condition, variants))
    db.session.commit()
    return changed
