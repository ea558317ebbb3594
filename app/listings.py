"""Searching, exporting, hiding and showing listings."""

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

#: A page's search stops after the search window in which this many seconds have passed.
_LOOK_SECONDS = 0.12
#: Maximum number of listings from one search window of a filtered export.
_EXPORT_ROWS = 2_000

#: Stands for the condition in a position behind all listings of an item.
_BEHIND_ITEM = "END"


class ListingNotFound(Exception):
    """The seller has no such listing."""


class Page(NamedTuple):
    """A page of a search."""

    listings: list[ListedItem]
    #: The position at which the next page begins; None on the last page.
    next: str | None
    #: How far the search has read, if it stopped before it had found enough; else None.
    broken_off_at: ItemAt | None


def search(seller_id: int, wanted: Filter, *, after: str, limit: int) -> Page:
    """The first ``limit`` matching listings behind a position, or fewer when the time is up.

    Positions come from ``Page.next``; any other text, as well as an empty one, means the beginning.
    """
    ends_at = perf_counter() + _LOOK_SECONDS
    found: list[ListingKey] = []
    reached: ListingKey | None = None
    # One more than shown, to know whether there is a next page.
    for stretch in listing_search.iter_windows(seller_id, wanted, after=_read_place(after), most=limit + 1):
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
    """A position as it stands in URLs; ``at`` is its item, or the one before it if there is none."""
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
    """All matching listings, ordered by key, in lists of which some are empty.

    The caller may end its transaction between two lists.
    """
    if wanted == ANY:
        yield from listings.iter_pages(seller_id)
        return
    for stretch in listing_search.iter_windows(seller_id, wanted, after=START, most=_EXPORT_ROWS):
        yield listing_search.export(seller_id, stretch.found)


def set_hidden(seller_id: int, urn: str, condition: Condition, variants: str, *, hidden: bool) -> ListedItem:
    """Hide a listing from buyers, or show it again. Returns its new state.

    The import and line that last changed it stay: no import has done this. Raises ListingNotFound.
    """
    item_id = listing_search.find_item_id(urn)
    key = (item_id or 0, int(condition), variants)
    if item_id is None or not listing_search.set_hidden(seller_id, key, hidden=hidden):
        raise ListingNotFound
    (changed,) = listing_search.describe(seller_id, [key])
    audit.record(Action.HIDE if hidden else Action.SHOW, seller_id, detail=listing_id(urn, condition, variants))
    db.session.commit()
    return changed
