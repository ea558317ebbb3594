"""Searches millions of listings, a bounded window at a time, and describes listings for pages.

Listings are indexed by their keys only: an index by name or condition would cost every import. So a search reads the
listings in the order of their keys and tests each. It does so in windows, each of a few statements that read a bounded
number of rows, whatever the filter is and however little is found; the caller decides after each window whether to
continue. If the filter has words and the listings are many, a window is a range of the catalog, and then the listings
of the items in it that have the words.
"""

from bisect import bisect_left
from collections.abc import Collection, Generator, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from app.csvfile.columns import FIELDS, Value
from app.csvfile.contract import Condition
from app.queries import each, fetch, fetch_as, fetch_value, fetch_values
from app.queries.listings.listings import (
    FIELD_NAMES,
    HAS_KEY,
    UNNESTED_KEYS,
    ExportedListing,
    ListingKey,
    fields_of,
    key_arrays,
    key_of,
)

#: The highest possible id of an item.
_MOST_ITEM_ID = 2**31 - 1

#: Before the first listing.
START: ListingKey = (0, 0, "")

#: The number of listings that the first window reads, and the maximum of later ones. Each window reads more than the
#: previous one, because most searches find enough at once.
_FIRST_LISTINGS, _MOST_LISTINGS = 2_000, 8_000
#: To find a condition, the index is searched this many times as far as ``_FIRST_LISTINGS`` listings reach.
_FARTHEST_REACH = 128
#: The same for the items of the catalog.
_FIRST_ITEMS, _MOST_ITEMS = 4_000, 64_000
_GROWTH = 4
#: Maximum number of items of a window, or under a URN, whose listings are looked up together.
_MOST_MATCHES = 5_000


class Stock(StrEnum):
    """How many copies there are of a listing."""

    OUT = "out"
    LOW = "low"
    IN = "in"


#: The highest quantity that counts as low.
LOW_QUANTITY = 3

_QUANTITIES = {
    Stock.OUT: "quantity = 0",
    Stock.LOW: f"quantity between 1 and {LOW_QUANTITY}",
    Stock.IN: "quantity > 0",
}


class ListingFilter(NamedTuple):
    """A filter for listings; None, or an empty value, matches all."""

    #: Folded like names (``csvfile.contract.fold``); each must occur in the item's game, set, name or number.
    words: tuple[str, ...] = ()
    #: The item's URN, or its beginning.
    urn: str = ""
    condition: Condition | None = None
    hidden: bool | None = None
    stock: Stock | None = None
    #: Changed then or later, by an import or by hand.
    changed_since: datetime | None = None
    #: The public id of the import that created them or was the last to update them, or of the undo that put them back.
    import_id: UUID | None = None
    #: A text that REFERENCE, NOTES or COMMENT contains, in any case.
    own_text: str = ""

    @property
    def names_item(self) -> bool:
        """Whether it filters by item."""
        return bool(self.words or self.urn)


#: Every listing.
ANY = ListingFilter()


class SearchWindow(NamedTuple):
    """The result of a window of the search."""

    #: The matching listings, in the order of their keys.
    found: list[ListingKey]
    #: The last key that was searched; None: there are no more listings.
    reached: ListingKey | None


def iter_windows(seller_id: int, wanted: ListingFilter, *, after: ListingKey, most: int) -> Iterator[SearchWindow]:
    """The listings that follow ``after`` and match ``wanted``, at most ``most`` from each window, up to the last one.

    The windows are independent: the caller may end its transaction between two of them.
    """
    if wanted.urn and (items := _items_under(wanted)) is not None:
        return _through_items(seller_id, wanted, items, after=after, most=most)
    if wanted.names_item:
        return _through_catalog(seller_id, wanted, after=after, most=most)
    return _through_listings(seller_id, wanted, after=after, most=most)


def behind_item(item_id: int) -> ListingKey:
    """A key after all of an item's listings and before those of the next item."""
    return (min(item_id, _MOST_ITEM_ID), max(Condition) + 1, "")


def _through_listings(seller_id: int, wanted: ListingFilter, *, after: ListingKey, most: int) -> Iterator[SearchWindow]:
    position: ListingKey | None = after
    listings, reach = _FIRST_LISTINGS, 1
    while position is not None:
        last = None
        if wanted.condition is not None:
            # The index skips other conditions so fast that a window may have many times the usual number of listings;
            # how far that reaches is estimated from the density of the next few listings.
            last = _item_further_on(seller_id, wanted, position, _FIRST_LISTINGS)
            first = _item_further_on(seller_id, wanted, position, 1)
            if first is not None and last is not None:
                last += (last - first) * (reach - 1)
        window = _scan_window(seller_id, wanted, after=position, most=most, listings=listings, last=last)
        yield window
        position = window.reached
        listings = min(listings * _GROWTH, _MOST_LISTINGS)
        reach = min(reach * _GROWTH, _FARTHEST_REACH)


def _through_items(
    seller_id: int, wanted: ListingFilter, items: list[int], *, after: ListingKey, most: int, last: int | None = None
) -> Generator[SearchWindow, None, ListingKey | None]:
    """Search the listings of ``items``, which are all that match, up to the item ``last``. Returns where it ended."""
    position: ListingKey | None = after
    while position is not None and (last is None or position < behind_item(last)):
        items = items[bisect_left(items, position[0]) :]
        window = _scan_window(
            seller_id, wanted, after=position, most=most, listings=_MOST_LISTINGS, last=last, items=items
        )
        yield window
        position = window.reached
    return position


def _through_catalog(seller_id: int, wanted: ListingFilter, *, after: ListingKey, most: int) -> Iterator[SearchWindow]:
    # A seller with few listings need not wait for the whole catalog.
    last = _item_further_on(seller_id, wanted, after, _FIRST_LISTINGS)
    window = _scan_window(
        seller_id, wanted, after=after, most=most, listings=_FIRST_LISTINGS, last=last, tests_items=True
    )
    yield window
    position, width = window.reached, _FIRST_ITEMS
    while position is not None:
        # Skip the items that the seller does not offer.
        first = _item_further_on(seller_id, wanted, position, 1)
        if first is None:
            yield SearchWindow([], None)
            return
        last = first + width - 1
        items = _items_between(wanted, first, last)
        if len(items) == _MOST_MATCHES:
            last = items[-1]
        position = yield from _through_items(seller_id, wanted, items, after=position, most=most, last=last)
        width = min(width * _GROWTH, _MOST_ITEMS)


def _scan_window(
    seller_id: int,
    wanted: ListingFilter,
    *,
    after: ListingKey,
    most: int,
    listings: int,
    last: int | None = None,
    items: list[int] | None = None,
    tests_items: bool = False,
) -> SearchWindow:
    """Test the next ``listings`` listings beyond ``after``, up to the item ``last``.

    If ``items`` are given, only their listings. Otherwise the item is tested one listing at a time, and only if
    ``tests_items``.
    """
    # Conditions of an index limit what is read. All others are tested on each listing that was read.
    read, asked = _limits(wanted), _tests(wanted)
    columns = "*" if asked else "item_id, condition, variants"
    if last is not None:
        read.append("item_id <= %(last)s")
    if items is not None:
        read.append("item_id = any(%(items)b::int[])")
    if tests_items:
        # A sub-select instead of a join, for which the planner could read the whole catalog.
        asked.append(f"(select {_item_matches(wanted)} from items i where i.id = item_id)")
    if not asked:
        # Every listing that is read matches.
        listings = most
    query = f"""
        select item_id, condition, variants, number = %(listings)s as is_last, is_wanted
        from (
            select item_id, condition, variants, number, {" and ".join(asked) or "true"} as is_wanted
            from (
                select *, row_number() over (order by item_id, condition, variants) as number
                from (
                    select {columns} from listings
                    where seller_id = %(seller_id)s and {_BEHIND} {"".join(f" and {one}" for one in read)}
                    order by item_id, condition, variants limit %(listings)s
                ) l
            ) l
        ) l
        where is_wanted or number = %(listings)s
        order by item_id, condition, variants limit %(most)s
    """
    values = {**_values(wanted, after), "seller_id": seller_id}
    rows = fetch(query, values, last=last, items=items, listings=listings, most=most + 1)
    found = [key_of(row) for row in rows if row.is_wanted][:most]
    if len(found) == most:
        return SearchWindow(found, found[-1])
    if rows and rows[-1].is_last:
        return SearchWindow(found, key_of(rows[-1]))
    return SearchWindow(found, None if last is None else behind_item(last))


def _limits(wanted: ListingFilter) -> list[str]:
    """SQL conditions on a listing that indexes have, beside its item."""
    limits = []
    if wanted.condition is not None:
        limits.append("condition = %(condition)s::smallint")
    if wanted.hidden:
        # Its index has only these.
        limits.append("hidden")
    return limits


def _tests(wanted: ListingFilter) -> list[str]:
    """SQL conditions on the values of a listing, for which no index is of use."""
    tests = []
    if wanted.hidden is False:
        tests.append("not hidden")
    if wanted.stock is not None:
        tests.append(_QUANTITIES[wanted.stock])
    if wanted.changed_since is not None:
        tests.append("updated_at >= %(changed_since)s")
    if wanted.import_id is not None:
        imported = "(select id from imports where seller_id = %(seller_id)s and public_id = %(import_id)s)"
        tests.append(f"(created_import_id = {imported} or {imported} in (updated_import_id, put_back_import_id))")
    if wanted.own_text:
        contain = (f"strpos(lower({column}), %(own_text)s) > 0" for column in ("reference", "notes", "comment"))
        tests.append(f"({' or '.join(contain)})")
    return tests


_BEHIND = "(item_id, condition, variants) > (%(item_id)s::int, %(after_condition)s::smallint, %(variants)s)"


def _item_matches(wanted: ListingFilter) -> str:
    """SQL for: the item ``i`` matches."""
    conditions = [
        f"(strpos(i.name_key, %(word_{n})s) > 0 or strpos(lower(i.number), %(word_{n})s) > 0)"
        for n in range(len(wanted.words))
    ]
    if wanted.urn:
        conditions.append("i.urn >= %(urn)s and i.urn < %(behind_urn)s")
    return " and ".join(conditions)


def _values(wanted: ListingFilter, after: ListingKey = START) -> dict[str, Any]:
    """The parameters of the conditions above, but for the seller."""
    return {
        **wanted._asdict(),
        **{f"word_{n}": word for n, word in enumerate(wanted.words)},
        # No text contains the last of all characters.
        "behind_urn": wanted.urn + chr(0x10FFFF),
        "own_text": wanted.own_text.lower(),
        **dict(zip(("item_id", "after_condition", "variants"), after, strict=True)),
    }


def _items_under(wanted: ListingFilter) -> list[int] | None:
    """All items whose URN matches, in order, ignoring the rest of the filter; None if they are too many."""
    query = "select id from items where urn >= %(urn)s and urn < %(behind_urn)s limit %(limit)s"
    ids = fetch_values(query, _values(wanted), limit=_MOST_MATCHES + 1)
    if len(ids) > _MOST_MATCHES:
        return None
    if wanted.words:
        query = f"select id from items i where id = any(%(ids)b::int[]) and {_item_matches(wanted)}"
        ids = fetch_values(query, _values(wanted), ids=ids)
    return sorted(ids)


def _items_between(wanted: ListingFilter, first: int, last: int) -> list[int]:
    """The first matching items from one id to another, in order."""
    query = f"""
        select i.id from items i where i.id between %(first)s and %(last)s and {_item_matches(wanted)}
        order by i.id limit %(limit)s
    """
    return fetch_values(query, _values(wanted), first=first, last=last, limit=_MOST_MATCHES)


def _item_further_on(seller_id: int, wanted: ListingFilter, after: ListingKey, listings: int) -> int | None:
    """The item of the listing that is ``listings`` listings beyond ``after``; only hidden ones count if ``wanted``."""
    query = f"""
        select item_id from listings where seller_id = %(seller_id)s and {_BEHIND}
        {"and hidden" if wanted.hidden else ""}
        order by item_id, condition, variants offset %(skipped)s limit 1
    """
    found: int | None = fetch_value(query, _values(wanted, after), seller_id=seller_id, skipped=listings - 1)
    return found


class Order(StrEnum):
    """The orders in which listings are shown; equal ones follow each other as in the catalog."""

    CATALOG = ""
    CHEAPEST = "price"
    DEAREST = "-price"
    FEWEST = "quantity"
    NEWEST = "-changed"


class _Sort(NamedTuple):
    column: str
    #: SQL: what identifies a value of the column, and the value again, as PostgreSQL compares it.
    written: str
    value: str
    is_descending: bool = False


_PLAIN = "%(value)s::bigint"
_SORTS = {
    Order.CHEAPEST: _Sort("price", "price", _PLAIN),
    Order.DEAREST: _Sort("price", "price", _PLAIN, is_descending=True),
    Order.FEWEST: _Sort("quantity", "quantity", _PLAIN),
    Order.NEWEST: _Sort(
        "updated_at",
        "(extract(epoch from updated_at) * 1000000)::bigint",
        "timestamptz 'epoch' + %(value)s::bigint * interval '1 microsecond'",
        is_descending=True,
    ),
}


class SortedKey(NamedTuple):
    """A listing's place in an order other than the catalog's."""

    value: int
    key: ListingKey


def find_sorted(
    seller_id: int, wanted: ListingFilter, order: Order, *, after: SortedKey | None, limit: int
) -> list[SortedKey]:
    """The first ``limit`` listings that follow ``after`` and match ``wanted``, in ``order``, not the catalog's.

    Reads all of the seller's listings: half a second for two million.
    """
    sort = _SORTS[order]
    conditions = _limits(wanted) + _tests(wanted)
    if wanted.names_item:
        conditions.append(f"item_id in (select i.id from items i where {_item_matches(wanted)})")
    if after is not None:
        is_further = f"{sort.column} {'<' if sort.is_descending else '>'} {sort.value}"
        conditions.append(f"({is_further} or ({sort.column} = {sort.value} and {_BEHIND}))")
    query = f"""
        select {sort.written} as value, item_id, condition, variants from listings
        where seller_id = %(seller_id)s {"".join(f" and {one}" for one in conditions)}
        order by {sort.column} {"desc" if sort.is_descending else "asc"}, item_id, condition, variants
        limit %(limit)s
    """
    value, key = after or (None, START)
    rows = fetch(query, _values(wanted, key), seller_id=seller_id, value=value, limit=limit)
    return [SortedKey(row.value, key_of(row)) for row in rows]


def count(seller_id: int, *, at_most: int) -> int:
    """The number of the seller's listings, or ``at_most`` if there are more."""
    query = "select count(*) from (select 1 from listings where seller_id = %(seller_id)s limit %(limit)s) l"
    return int(fetch_value(query, seller_id=seller_id, limit=at_most))


class WrittenBy(NamedTuple):
    """A row of an import that wrote a listing, or an undo that put it back."""

    public_id: UUID
    file_name: str
    #: What its seller calls the import.
    name: str
    #: None for an undo.
    line: int | None
    #: The failed row that it corrects or repeats.
    failed: "WrittenBy | None" = None


class FoundListing(NamedTuple):
    """A listing for display."""

    urn: str
    game: str
    set_name: str
    name: str
    number: str
    condition: Condition
    #: Sorted and joined by ``|``; empty if there are none.
    variants: str
    #: The values of the listing, by the names of ``columns.FIELDS``.
    values: dict[str, Value]
    #: None if the import is no longer known.
    made_by: WrittenBy | None
    #: The last UPDATE; None if there was none.
    changed_by: WrittenBy | None
    #: The last change, by an import or by hand.
    updated_at: datetime
    #: The last change by hand; None if there was none.
    edited_at: datetime | None

    @property
    def texts(self) -> dict[str, Value]:
        """Its texts, by column."""
        texts = {column.value: self.values[field.name] for column, field in FIELDS.items() if column.spec.is_free_text}
        return {column: text for column, text in texts.items() if text}


_EACH_KEY = f"""
    {UNNESTED_KEYS} cross join lateral (select * from listings l where {HAS_KEY} offset 0) l
    join items i on i.id = l.item_id
"""


def describe(seller_id: int, keys: Collection[ListingKey]) -> list[FoundListing]:
    """Listings for display, in the order of ``keys``."""
    if not keys:
        return []
    query = f"""
        select i.urn, i.game, i."set" as set_name, i.name, i.number, l.condition, l.variants, {each("l", FIELD_NAMES)},
            c.public_id as maker_id, c.file_name as maker_file, coalesce(c.name, c.file_name) as maker, l.created_line,
            u.public_id as changer_id, u.file_name as changer_file, coalesce(u.name, u.file_name) as changer,
            case when l.put_back_import_id is null then l.updated_line end as updated_line, l.updated_at, l.edited_at
        from {_EACH_KEY}
        left join imports c on c.seller_id = %(seller_id)s and c.id = l.created_import_id and c.deleted_at is null
        left join imports u on u.seller_id = %(seller_id)s and u.deleted_at is null
            and u.id = coalesce(l.put_back_import_id, l.updated_import_id)
        order by k.place
    """
    rows = fetch(query, seller_id=seller_id, **key_arrays(keys))
    return [_listed(row) for row in rows]


def _listed(row: Any) -> FoundListing:
    return FoundListing(
        urn=row.urn,
        game=row.game,
        set_name=row.set_name,
        name=row.name,
        number=row.number,
        condition=Condition(row.condition),
        variants=row.variants,
        values=fields_of(row),
        made_by=row.maker_id and WrittenBy(row.maker_id, row.maker_file, row.maker, row.created_line),
        changed_by=row.changer_id and WrittenBy(row.changer_id, row.changer_file, row.changer, row.updated_line),
        updated_at=row.updated_at,
        edited_at=row.edited_at,
    )


def export(seller_id: int, keys: Collection[ListingKey]) -> list[ExportedListing]:
    """Listings as they are exported, in the order of ``keys``."""
    if not keys:
        return []
    query = f"select i.urn, l.condition, l.variants, {each('l', FIELD_NAMES)} from {_EACH_KEY} order by k.place"
    rows = fetch(query, seller_id=seller_id, **key_arrays(keys))
    return [ExportedListing(row.urn, row.condition, row.variants, fields_of(row)) for row in rows]


def count_by_item(seller_id: int, item_ids: Collection[int]) -> dict[int, int]:
    """The number of the seller's listings of each item; items without one are left out."""
    query = """
        select item_id, count(*) as listings from listings
        where seller_id = %(seller_id)s and item_id = any(%(item_ids)s) group by item_id
    """
    rows = fetch(query, seller_id=seller_id, item_ids=[*item_ids])
    return {row.item_id: row.listings for row in rows}


class ItemAt(NamedTuple):
    """An item of the catalog, which identifies a position in the search."""

    urn: str
    set_name: str
    name: str


def find_item_at(item_id: int) -> ItemAt | None:
    """The item with an id, or else the last one before it."""
    query = 'select urn, "set" as set_name, name from items where id <= %(id)s order by id desc limit 1'
    return next(iter(fetch_as(ItemAt, query, id=item_id)), None)


def find_item_ids(urns: Collection[str]) -> dict[str, int]:
    """The ids of the items with these URNs."""
    rows = fetch("select urn, id from items where urn = any(%(urns)s)", urns=[*urns])
    return {row.urn: row.id for row in rows}
