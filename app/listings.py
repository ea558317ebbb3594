"""Searching and exporting listings, and changing them by hand."""

import re
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple

from app import audit
from app.audit import Action
from app.csvfile.contract import Condition
from app.extensions import db
from app.imports.reports import seller_file
from app.imports.reports.seller_file import SellerFile
from app.queries.imports import corrections
from app.queries.listings import edits as listing_edits
from app.queries.listings import listings
from app.queries.listings import search as listing_search
from app.queries.listings.edits import Editable
from app.queries.listings.listings import ExportedListing, ListingKey, listing_id
from app.queries.listings.search import ANY, START, FoundListing, ItemAt, ListingFilter, Order, SortedKey, WrittenBy

#: A page's search stops after the search window in which this many seconds have passed.
_LOOK_SECONDS = 0.12
#: A page's listings are counted for this many seconds; without a filter, up to a number that takes no longer.
_COUNT_SECONDS = 0.1
_MOST_COUNTED = 100_000
#: Maximum number of listings from one search window of a filtered export.
_EXPORT_ROWS = 2_000

#: Stands for the condition in a position after all listings of an item.
_AFTER_ITEM = "END"


class ListingNotFound(Exception):
    """The seller has no such listing; its id is the message."""


class Page(NamedTuple):
    """A page of a search."""

    listings: list[FoundListing]
    #: The position at which the next page begins; None on the last page.
    next: str | None
    #: How far the search has read, if it stopped before it had found enough; else None.
    broken_off_at: ItemAt | None = None


class Count(NamedTuple):
    """How many listings match."""

    number: int
    #: Whether there are no more.
    is_exact: bool


def count(seller_id: int, wanted: ListingFilter) -> Count:
    """The number of listings that match, or how many were counted until the time was up."""
    if wanted == ANY:
        number = listing_search.count(seller_id, at_most=_MOST_COUNTED + 1)
        return Count(min(number, _MOST_COUNTED), number <= _MOST_COUNTED)
    ends_at = perf_counter() + _COUNT_SECONDS
    number = 0
    for stretch in listing_search.iter_windows(seller_id, wanted, after=START, most=_EXPORT_ROWS):
        number += len(stretch.found)
        if stretch.reached is None:
            return Count(number, True)
        if perf_counter() > ends_at:
            break
    return Count(number, False)


def search(seller_id: int, wanted: ListingFilter, *, order: Order = Order.CATALOG, after: str, limit: int) -> Page:
    """The first ``limit`` matching listings after a position, in the order of the catalog or another one.

    Positions come from ``Page.next`` of the same order; any other text, as well as an empty one, means the beginning.
    In the order of the catalog there are fewer when the time is up.
    """
    return (
        _search_catalog(seller_id, wanted, after=after, limit=limit)
        if order is Order.CATALOG
        else _search_sorted(seller_id, wanted, order, after=after, limit=limit)
    )


def _search_sorted(seller_id: int, wanted: ListingFilter, order: Order, *, after: str, limit: int) -> Page:
    # After the value that is sorted by, a position is one as in the order of the catalog.
    value, _, place = after.partition("~")
    key = _read_place(place)
    position = SortedKey(int(value), key) if re.fullmatch("[0-9]{1,18}", value) and key != START else None
    found = listing_search.find_sorted(seller_id, wanted, order, after=position, limit=limit + 1)
    shown = _describe(seller_id, [key for _, key in found[:limit]])
    if len(found) <= limit:
        return Page(shown, None)
    last_value, (item_id, condition, variants) = found[limit - 1]
    at = listing_search.find_item_at(item_id)
    return Page(shown, at and f"{last_value}~{listing_id(at.urn, condition, variants)}")


def _search_catalog(seller_id: int, wanted: ListingFilter, *, after: str, limit: int) -> Page:
    ends_at = perf_counter() + _LOOK_SECONDS
    found: list[ListingKey] = []
    reached: ListingKey | None = None
    # One more than shown, to know whether there is a next page.
    for stretch in listing_search.iter_windows(seller_id, wanted, after=_read_place(after), most=limit + 1):
        found += stretch.found
        reached = stretch.reached
        if len(found) > limit or perf_counter() > ends_at:
            break
    if is_full := len(found) > limit:
        found, reached = found[:limit], found[limit - 1]
    at = listing_search.find_item_at(reached[0]) if reached else None
    shown = _describe(seller_id, found)
    if reached is None or at is None:
        return Page(shown, None)
    if is_full:
        return Page(shown, listing_id(at.urn, *reached[1:]))
    return Page(shown, _write_place(at, reached), at)


def _write_place(at: ItemAt, key: ListingKey) -> str:
    """A position as it stands in URLs; ``at`` is its item, or the one before it if there is none."""
    _, condition, variants = key
    if condition in set(Condition):
        return listing_id(at.urn, condition, variants)
    return f"{at.urn}/{_AFTER_ITEM}/"


def _read_place(place: str) -> ListingKey:
    urn, _, rest = place.replace("\0", "").rpartition("/")
    urn, _, condition = urn.rpartition("/")
    item_id = listing_search.find_item_ids([urn]).get(urn) if urn else None
    if item_id is None:
        return START
    if condition == _AFTER_ITEM:
        return listing_search.behind_item(item_id)
    return (item_id, Condition[condition], rest) if condition in Condition.__members__ else START


def iter_export(seller_id: int, wanted: ListingFilter) -> Iterator[list[ExportedListing]]:
    """All matching listings, ordered by key, in lists of which some are empty.

    The caller may end its transaction between two lists.
    """
    if wanted == ANY:
        yield from listings.iter_pages(seller_id)
        return
    for stretch in listing_search.iter_windows(seller_id, wanted, after=START, most=_EXPORT_ROWS):
        yield listing_search.export(seller_id, stretch.found)


class Edit(NamedTuple):
    """A change of a listing by hand; None leaves a value as it is."""

    urn: str
    condition: Condition
    variants: str
    #: In pence.
    price: int | None = None
    quantity: int | None = None
    hidden: bool | None = None

    @property
    def listing_id(self) -> str:
        """The public id of the listing."""
        return listing_id(self.urn, self.condition, self.variants)

    def apply(self, to: Editable) -> Editable:
        """``to`` with the values that are given."""
        given = {name: value for name in Editable._fields if (value := getattr(self, name)) is not None}
        return to._replace(**given)


def change(seller_id: int, edits: Collection[Edit]) -> int:
    """Change listings by hand, all of them or none. Returns how many have other values than before.

    The values must be valid, and there is one edit for a listing. Raises ListingNotFound.
    """
    items = listing_search.find_item_ids({edit.urn for edit in edits})
    keys = [(items.get(edit.urn, 0), int(edit.condition), edit.variants) for edit in edits]
    before = listing_edits.lock(seller_id, keys)
    changes: dict[ListingKey, Editable] = {}
    for key, edit in zip(keys, edits, strict=True):
        if key not in before:
            db.session.rollback()
            raise ListingNotFound(edit.listing_id)
        after = edit.apply(before[key])
        if after != before[key]:
            changes[key] = after
            action, what = _say_change(before[key], after)
            audit.record(action, seller_id, detail=f"{edit.listing_id}{what}")
    listing_edits.write(seller_id, changes)
    db.session.commit()
    return len(changes)


def _say_change(before: Editable, after: Editable) -> tuple[Action, str]:
    """The action as the audit log names it, and what has changed beside the visibility."""
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in ("price", "quantity")]
    said = [f"{name} {old} → {new}" for name, old, new in pairs if old != new]
    visibility = Action.HIDE if after.hidden else Action.SHOW
    if not said:
        return visibility, ""
    return Action.EDIT, f": {', '.join(said)}" + ("" if before.hidden == after.hidden else f", {visibility}")


def find_by_text(seller_id: int, text: str, *, limit: int) -> list[FoundListing]:
    """The listings with ``text`` in REFERENCE, NOTES or COMMENT, or in whose URN it begins, the last changed first.

    Reads all of the seller's listings, as ``listing_search.find_sorted`` does.
    """
    found = {
        one
        for wanted in (ListingFilter(own_text=text), ListingFilter(urn=text))
        for one in listing_search.find_sorted(seller_id, wanted, Order.NEWEST, after=None, limit=limit)
    }
    newest = sorted(found, key=lambda one: (-one.value, one.key))[:limit]
    return _describe(seller_id, [one.key for one in newest])


def get(seller_id: int, urn: str, condition: Condition, variants: str) -> FoundListing:
    """A listing of the seller. Raises ListingNotFound."""
    found = get_all(seller_id, [(urn, condition, variants)])
    if not found:
        raise ListingNotFound(listing_id(urn, condition, variants))
    return found[0]


def get_all(seller_id: int, wanted: Sequence[tuple[str, Condition, str]]) -> list[FoundListing]:
    """The listings of the seller with these items (by URN), conditions and variants; missing ones are left out."""
    items = listing_search.find_item_ids({urn for urn, _, _ in wanted})
    keys = [(items[urn], int(condition), variants) for urn, condition, variants in wanted if urn in items]
    return _describe(seller_id, keys)


def _describe(seller_id: int, keys: Collection[ListingKey]) -> list[FoundListing]:
    """Listings for display; what an import did to them stands on lines of the file that the seller has uploaded."""
    found = listing_search.describe(seller_id, keys)
    writers = {by for one in found for by in (one.made_by, one.changed_by) if by and by.line is not None}
    failed = _find_failed(seller_id, {(by.public_id, by.line) for by in writers if by.line})
    own = seller_file.find_many(seller_id, {by.public_id for by in (*writers, *failed.values())})
    told = {
        by: _with_own_line(by, own)._replace(failed=before and _with_own_line(before, own))
        for by in writers
        for before in [failed.get((by.public_id, by.line or 0))]
    }
    # An undo has no lines.
    return [
        one._replace(
            made_by=one.made_by and told.get(one.made_by, one.made_by),
            changed_by=one.changed_by and told.get(one.changed_by, one.changed_by),
        )
        for one in found
    ]


def _find_failed(seller_id: int, rows: Collection[tuple[uuid.UUID, int]]) -> dict[tuple[uuid.UUID, int], WrittenBy]:
    """The rows as they failed first that these rows of imports, each on a line, correct or repeat."""
    found = corrections.find_corrected(seller_id, rows) if rows else {}
    before = _find_failed(seller_id, {(by.public_id, by.line) for by in found.values() if by.line}) if found else {}
    return {row: before.get((by.public_id, by.line or 0), by) for row, by in found.items()}


def _with_own_line(by: WrittenBy, own: Mapping[uuid.UUID, SellerFile]) -> WrittenBy:
    if by.line is None or by.public_id not in own:
        return by
    return by._replace(line=own[by.public_id].find_lines([by.line]).get(by.line, by.line))
