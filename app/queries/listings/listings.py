"""The sellers' listings: looking up, locking, inserting, updating and exporting them, thousands at a time.

No two transactions deadlock, whatever their rows are. Each first inserts all its new listings, then locks all that it
updates, both in the order of the keys. While it inserts, it holds only uncommitted listings, and so nothing that a
locking transaction could wait for: that finds committed listings only. So transactions that lock wait only for each
other, in one order; and those that insert wait for these, or for each other, in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from hashlib import blake2b
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from psycopg.rows import namedtuple_row

from app.csvfile.columns import FIELDS, VALUES, Layout, Value, Values
from app.queries import ImportKey, as_columns, driver_cursor
from app.queries.bulk_insert import Table, insert_missing

#: Number of listings on a page of ``iter_pages``.
_PAGE_ROWS = 2_000


#: The listing key: the item, the condition and the variants. A plain tuple sorts and hashes far faster than a named
#: one.
ListingKey = tuple[int, int, str]


class CreatedBy(NamedTuple):
    """Which row of which import created a listing."""

    import_id: int
    line: int


#: A listing to create: the line of its row, its item, condition and variants, hidden, and its values in the order of
#: ``columns.VALUES``. A plain tuple, because there are millions.
NewListing = tuple[Any, ...]
line_of: Callable[[NewListing], int] = itemgetter(0)
key_of: Callable[[NewListing], ListingKey] = itemgetter(1, 2, 3)

_FIELD_NAMES = [field.name for field in FIELDS.values()]
_VALUE_NAMES = [field.name for field in VALUES.values()]
#: The values of a row of the table, which has them by their names.
_values_of: Callable[[Any], Values] = attrgetter(*_VALUE_NAMES)


class ListingState(NamedTuple):
    """The values of a listing that an UPDATE sets, and the notes of the last import that set them."""

    #: In the order of ``columns.VALUES``: all but HIDDEN.
    values: Values
    hidden: bool
    updated_import_id: int | None
    updated_line: int | None
    hidden_line: int | None
    #: What the listing was before that import: ``digest`` of its values, and HIDDEN.
    values_before: int | None
    hidden_before: bool | None

    def was(self, values: Values, hidden: bool | None, *, layout: Layout, before: int) -> bool:
        """Whether the listing had these values, and this HIDDEN if it is given, before the import with this id.

        ``layout`` is that of the import; columns that its file does not have do not matter.
        """
        if self.updated_import_id != before:
            is_same, hidden_before = layout.spoken(values) == layout.spoken(self.values), self.hidden
        else:
            is_same, hidden_before = digest(values, layout) == self.values_before, bool(self.hidden_before)
        return is_same and hidden in (None, hidden_before)


class Found(NamedTuple):
    """A listing that the seller has."""

    #: The position of its row, which does not change while it is locked.
    place: str
    maker: CreatedBy
    state: ListingState


class Change(NamedTuple):
    """The change of a listing."""

    found: Found
    after: ListingState


def digest(values: Values, layout: Layout) -> int:
    """A 64-bit hash of values; collisions are negligible.

    It covers only the values that a file of the ``layout`` has, so that it stays the same when a release adds a column
    while an import of an older layout runs.
    """
    return int.from_bytes(blake2b(repr(layout.spoken(values)).encode(), digest_size=8).digest(), signed=True)


class ExportedListing(NamedTuple):
    """A listing as it is exported."""

    urn: str
    condition: int
    variants: str
    #: What the listing holds, by the names of ``columns.FIELDS``.
    values: dict[str, Value]


# Each key is looked up in the primary key's index, one after the other, in the order of the arrays: OFFSET 0 and FOR
# UPDATE keep the planner from joining in any other way. Left to itself it reads all the seller's listings for every
# chunk, because it cannot know how fast the table grows.
_EACH_KEY = "unnest(%b::int[], %b::smallint[], %b::text[]) as k (item_id, condition, variants) cross join lateral"
_HAS_KEY = "l.seller_id = %s and l.item_id = k.item_id and l.condition = k.condition and l.variants = k.variants"

_NEW = Table(
    "listings",
    {
        "seller_id": "int4",
        "created_import_id": "int8",
        "created_line": "int4",
        "item_id": "int4",
        "condition": "int2",
        "variants": "text",
        "hidden": "bool",
        **{field.name: field.sql for field in VALUES.values()},
    },
    line="created_line",
)
#: The columns of a ListingState, and their PostgreSQL types.
_STATE = {
    **{field.name: field.sql for field in VALUES.values()},
    "hidden": "bool",
    "updated_import_id": "int8",
    "updated_line": "int4",
    "hidden_line": "int4",
    "values_before": "int8",
    "hidden_before": "bool",
}


def exists_for(seller_id: int) -> bool:
    """Whether the seller has any listing."""
    with driver_cursor() as cursor:
        # The order makes the planner use the primary key's index. Without it, the planner expects the seller to have as
        # many listings as others, and scans the table until it finds one: for a new seller, that is never.
        cursor.execute("select true from listings where seller_id = %s order by item_id limit 1", (seller_id,))
        return cursor.fetchone() is not None


def find_makers(seller_id: int, keys: Collection[ListingKey]) -> dict[ListingKey, CreatedBy]:
    """Which row created the listing, for those of ``keys`` that the seller has a listing for."""
    if not keys:
        return {}
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            select k.item_id, k.condition, k.variants, l.created_import_id, l.created_line
            from {_EACH_KEY} (select * from listings l where {_HAS_KEY} offset 0) l
            """,
            (*as_columns(sorted(keys)), seller_id),
        )
        return {(item, condition, variants): CreatedBy(*by) for item, condition, variants, *by in cursor.fetchall()}


def find(seller_id: int, keys: Collection[ListingKey], *, lock: bool) -> dict[ListingKey, Found]:
    """The seller's listings with these ``keys``, as of the newest commit.

    With ``lock`` they are locked, in the order of the keys: no other transaction changes them before this one ends.
    """
    if not keys:
        return {}
    how = "for no key update" if lock else "offset 0"
    with driver_cursor() as cursor:
        cursor.row_factory = namedtuple_row
        cursor.execute(
            f"""
            select k.item_id, k.condition, k.variants, l.place, l.created_import_id, l.created_line,
                   {", ".join(f"l.{name}" for name in _STATE)}
            from {_EACH_KEY} (select l.ctid as place, * from listings l where {_HAS_KEY} {how}) l
            """,
            (*as_columns(sorted(keys)), seller_id),
        )
        rows: list[Any] = cursor.fetchall()
        return {
            (row.item_id, row.condition, row.variants): Found(
                row.place, CreatedBy(row.created_import_id, row.created_line), _state_of(row)
            )
            for row in rows
        }


def _state_of(row: Any) -> ListingState:
    return ListingState(
        _values_of(row),
        row.hidden,
        row.updated_import_id,
        row.updated_line,
        row.hidden_line,
        row.values_before,
        row.hidden_before,
    )


def _flat(state: ListingState) -> tuple[Any, ...]:
    """A state in the order of the columns of _STATE."""
    values, *others = state
    return (*values, *others)


def insert(seller_id: int, import_id: int, new: Collection[NewListing]) -> Collection[int]:
    """Insert the ``new`` listings that the seller does not have. Returns the lines of the inserted ones."""
    if not new:
        return ()
    return insert_missing(_NEW, [(seller_id, import_id, *one) for one in sorted(new, key=key_of)])


def update(seller_id: int, changes: Collection[Change]) -> None:
    """Apply ``changes`` to listings of a seller that ``find`` has locked in this transaction."""
    if not changes:
        return
    arrays = ", ".join(f"%b::{kind}[]" for kind in ("tid", *_STATE.values()))
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            update listings l set {", ".join(f"{name} = k.{name}" for name in _STATE)}, updated_at = now()
            from unnest({arrays}) as k (place, {", ".join(_STATE)})
            where l.ctid = k.place and l.seller_id = %s
            """,
            [
                [change.found.place for change in changes],
                *as_columns([_flat(change.after) for change in changes]),
                seller_id,
            ],
        )


def iter_pages(seller_id: int) -> Iterator[list[ExportedListing]]:
    """All listings of a seller in the order of their keys, a page at a time.

    Each page is a separate statement: the caller may end its transaction between two pages.
    """
    after: ListingKey = (0, 0, "")
    while True:
        with driver_cursor() as cursor:
            cursor.execute(
                f"""
                select l.item_id, l.condition, l.variants, i.urn, {", ".join(f"l.{name}" for name in _FIELD_NAMES)}
                from (
                    select * from listings
                    where seller_id = %s and (item_id, condition, variants) > (%s::int, %s::smallint, %s)
                    order by item_id, condition, variants
                    limit %s
                ) l join items i on i.id = l.item_id
                order by l.item_id, l.condition, l.variants
                """,
                (seller_id, *after, _PAGE_ROWS),
            )
            rows = cursor.fetchall()
        if not rows:
            return
        yield [
            ExportedListing(urn, condition, variants, dict(zip(_FIELD_NAMES, values, strict=True)))
            for _, condition, variants, urn, *values in rows
        ]
        item_id, condition, variants, *_ = rows[-1]
        after = item_id, condition, variants


def list_created_lines(key: ImportKey) -> list[int]:
    """The lines of an import that created a listing, in ascending order."""
    with driver_cursor() as cursor:
        cursor.execute(
            "select created_line from listings where seller_id = %s and created_import_id = %s order by created_line",
            key,
        )
        return [line for (line,) in cursor]
