"""The sellers' listings: looking up, locking, inserting, updating and exporting them, thousands at a time.

No two transactions deadlock, whatever their rows are. Each first inserts all its new listings, then locks all that it
updates, both in the order of the keys. While it inserts, it holds only uncommitted listings, and so nothing that a
locking transaction could wait for: that finds committed listings only. So transactions that lock wait only for each
other, in one order; and those that insert wait for these, or for each other, in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.columns import FIELDS, VALUES, Layout, Value, Values
from app.csvfile.contract import Condition
from app.csvfile.rows import SCHEMA, whole
from app.queries import ImportKey, as_columns, binary, each, fetch, fetch_first, fetch_values
from app.queries.bulk_insert import insert_all, insert_missing, with_key

#: Number of listings on a page of ``iter_pages``.
_PAGE_ROWS = 2_000

#: The listing key: the item, the condition and the variants. A plain tuple sorts and hashes far faster than a named
#: one.
ListingKey = tuple[int, int, str]
#: Its columns in a table.
KEY = ("item_id", "condition", "variants")
#: The key of a row with these columns.
key_of: Callable[[Any], ListingKey] = attrgetter(*KEY)
#: The columns of the values.
FIELD_NAMES = [field.name for field in FIELDS.values()]
#: The columns of a new listing.
_INSERTED = ["seller_id", "created_import_id", "created_line", *KEY, *FIELD_NAMES]
#: The column of rows that has them as COPY wants them.
_ENCODED = "encoded"

#: How this release makes the digests in ``values_before``; see ``imports.digest_format``.
DIGEST_FORMAT = 2

_VALUE_NAMES = [field.name for field in VALUES.values()]
#: The values of a row of the table, which has them by their names.
_values_of = attrgetter(*_VALUE_NAMES)


class Run(NamedTuple):
    """The import or check whose rows are compared with listings and written to them."""

    key: ImportKey
    #: The columns of its file.
    layout: Layout
    #: How its digests are made.
    digest_format: int


class Makers(NamedTuple):
    """Which rows created the listings that exist, of those with given keys."""

    #: The indices of their keys.
    at: NDArray[np.integer]
    import_ids: NDArray[np.int64]
    lines: NDArray[np.int32]

    def of(self, places: NDArray[np.int64]) -> Makers:
        """The same makers, where the keys were those in these ``places`` of all keys."""
        return Makers(places[self.at], self.import_ids, self.lines)

    def joined_with(self, others: Makers) -> Makers:
        """These makers and ``others``."""
        both: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(self, others, strict=True)
        return Makers(*map(np.concatenate, both))


NO_MAKERS = Makers(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int32))


class Compared(NamedTuple):
    """The result of comparing UPDATE rows with the listings that they name: an element for each listing found."""

    #: The indices of the rows.
    at: NDArray[np.int32]
    #: The position of the listing in the table (``binary.TID``), which does not change while it is locked.
    places: NDArray[np.void]
    #: Whether the run itself has created it.
    is_own: NDArray[np.bool_]
    #: Whether the run itself has changed it before.
    is_touched: NDArray[np.bool_]
    #: Whether it had the values of the row, as far as its file has them, before the run.
    is_same: NDArray[np.bool_]
    #: The highest lines of the run that have set its values and HIDDEN; 0 if none has.
    lines: NDArray[np.int32]
    hidden_lines: NDArray[np.int32]
    prices: NDArray[np.int32]

    def where(self, is_wanted: NDArray[np.bool_]) -> Compared:
        """The elements for which ``is_wanted`` is true."""
        columns: Iterable[NDArray[Any]] = self
        return Compared(*(values[is_wanted] for values in columns))


class StoredListing(NamedTuple):
    """A listing with what is known of the rows that wrote it."""

    created_import_id: int
    created_line: int
    #: Its values in the order of ``columns.VALUES``: all but HIDDEN.
    values: Values
    hidden: bool
    updated_import_id: int | None
    #: Of the values before that import, by its format; and HIDDEN before it.
    values_before: int | None
    hidden_before: bool | None
    #: The undo that has put it back since.
    put_back_import_id: int | None


class ExportedListing(NamedTuple):
    """A listing as it is exported."""

    urn: str
    condition: int
    variants: str
    #: What the listing holds, by the names of ``columns.FIELDS``.
    values: dict[str, Value]


def listing_id(urn: str, condition: int, variants: str) -> str:
    """The public id of a listing: ``<urn>/<CONDITION>/<variants>``.

    It consists of the listing key, so it never changes. The last part may be empty. Conditions and variants contain no
    slash, so an id can be parsed from its end.
    """
    return f"{urn}/{Condition(condition).name}/{variants}"


# Each key is looked up in the primary key's index, one after the other, in the order of the arrays: OFFSET 0 and FOR
# NO KEY UPDATE keep the planner from joining in any other way. Left to itself it reads all the seller's listings for
# every chunk, because it cannot know how fast the table grows.
#: SQL: whether the listing ``l`` has the key of the row ``k``.
HAS_KEY = (
    "l.seller_id = %(seller_id)s and l.item_id = k.item_id and l.condition = k.condition and l.variants = k.variants"
)
#: SQL: a row ``k`` for each of ``key_arrays``, with its place among them.
UNNESTED_KEYS = """
    unnest(%(item_ids)b::int[], %(conditions)b::smallint[], %(variants)b::text[])
        with ordinality as k (item_id, condition, variants, place)
"""


def key_arrays(keys: Collection[ListingKey]) -> dict[str, list[Any]]:
    """``keys``, at least one, as the parameters of UNNESTED_KEYS."""
    return dict(zip(("item_ids", "conditions", "variants"), as_columns(keys), strict=True))


def exists_for(seller_id: int) -> bool:
    """Whether the seller has any listing."""
    # The order makes the planner use the primary key's index. Without it, the planner expects the seller to have as
    # many listings as others, and scans the table until it finds one: for a new seller, that is never.
    query = "select true from listings where seller_id = %(seller_id)s order by item_id limit 1"
    return fetch_first(query, seller_id=seller_id) is not None


def find_makers(seller_id: int, keys: pa.Table) -> Makers:
    """Which rows created the seller's listings with these ``keys``, a table with the columns KEY in their order."""
    query = f"""
        select array_agg(k.number::int - 1) as at, array_agg(l.created_import_id) as import_ids,
            array_agg(l.created_line) as lines
        from {binary.unnest(keys.schema)}
        cross join lateral (select * from listings l where {HAS_KEY} offset 0) l
    """
    return Makers(**binary.execute(query, **binary.as_arrays(keys), seller_id=seller_id))


def find_texts(seller_id: int, keys: pa.Table, fields: Sequence[str]) -> pa.Table:
    """Which of these ``keys``, a table with the columns KEY in their order, the seller has listings with.

    For each the index of the key, ``at``, and these ``fields`` of the listing as texts; empty for none.
    """
    wanted = "".join(f", l.{name}::text" for name in fields)
    query = f"""
        select k.number::int - 1{wanted}
        from {binary.unnest(keys.schema)}
        cross join lateral (select * from listings l where {HAS_KEY} offset 0) l
    """
    types = {"at": pa.int32(), **dict.fromkeys(fields, pa.string())}
    return binary.read_table(query, types, **binary.as_arrays(keys), seller_id=seller_id)


def find(seller_id: int, keys: Collection[ListingKey]) -> dict[ListingKey, StoredListing]:
    """The seller's listings with these ``keys``."""
    if not keys:
        return {}
    query = f"""
        select k.item_id, k.condition, k.variants, l.*
        from {UNNESTED_KEYS}
        cross join lateral (
            select {", ".join((*_VALUE_NAMES, *_STORED))} from listings l where {HAS_KEY} offset 0
        ) l
    """
    rows = fetch(query, seller_id=seller_id, **key_arrays(sorted(keys)))
    return {
        key_of(row): StoredListing(values=_values_of(row), **{name: getattr(row, name) for name in _STORED})
        for row in rows
    }


_STORED = tuple(name for name in StoredListing._fields if name != "values")


def with_encoded(key: ImportKey, rows: pa.Table) -> pa.Table:
    """Rows of an import, with a further column from which ``insert`` takes CREATE rows as COPY wants them."""
    has_new = pc.any(rows["is_create"]).as_py()
    encoded = binary.encode_rows(_as_listings(key, rows)) if has_new else pa.nulls(len(rows), pa.binary())
    return rows.append_column(_ENCODED, encoded)


def insert(key: ImportKey, rows: pa.Table, new: NDArray[np.int64]) -> NDArray[np.int32]:
    """Insert those listings that the seller does not have: of the ``new`` ones of ``rows``, in the order of their keys.

    Returns the lines of the inserted ones.
    """
    encoded = whole(rows[_ENCODED]).take(pa.array(new))
    if insert_all("listings", _INSERTED, encoded):
        return np.asarray(rows["line"])[new]
    return insert_missing("listings", _as_listings(key, rows.take(new)), line="created_line")


def _as_listings(key: ImportKey, rows: pa.Table) -> pa.Table:
    names = {"import_id": "created_import_id", "line": "created_line"}
    return with_key(rows, key).rename_columns(names).select(_INSERTED)


@contextmanager
def in_place(seller_id: int) -> Iterator[None]:
    """What is executed in this context goes to the places of the seller's listings, whatever the planner knows of them.

    It would read all listings of the seller for each chunk where it expects few: of one whose listings have not been
    analyzed yet, or who had none when they were.
    """
    _set_scans(seller_id, "off")
    yield
    _set_scans(seller_id, "on")


def _set_scans(seller_id: int, value: str) -> None:
    scans = ("enable_seqscan", "enable_indexscan", "enable_bitmapscan")
    settings = ", ".join(f"set_config('{scan}', '{value}', true)" for scan in scans)
    # On a cluster, settings are made where the statement reads: here, where the seller's listings lie. The order is
    # that of ``exists_for``.
    query = f"select {settings} from listings where seller_id = %(seller_id)s order by item_id limit 1"
    fetch_first(query, seller_id=seller_id)


def compare(run: Run, rows: pa.Table, *, lock: bool) -> Compared:
    """Compare UPDATE ``rows``, given in the order of their keys, with the seller's listings as of the newest commit.

    With ``lock`` the listings are locked, in that order: no other transaction changes them before this one ends.
    """
    said = _names_in(run.layout)
    rows = rows.select([*KEY, *said, "hidden"])
    query = f"""
        select array_agg(k.number::int - 1) as at, array_agg(l.place) as places,
            array_agg(l.created_import_id = %(import_id)s) as is_own, array_agg(l.is_touched) as is_touched,
            array_agg(case when l.is_touched
                then coalesce({_digest("k", run.layout, run.digest_format)} = l.values_before, false)
                    and (k.hidden is null or k.hidden = l.hidden_before)
                else ({each("k", said)}) is not distinct from ({each("l", said)})
                    and (k.hidden is null or k.hidden = l.hidden)
                end) as is_same,
            array_agg(case when l.is_touched then l.updated_line else 0 end) as lines,
            array_agg(case when l.is_touched then l.hidden_line else 0 end) as hidden_lines,
            array_agg(l.price) as prices
        from {binary.unnest(rows.schema)}
        cross join lateral (
            select l.ctid as place, l.updated_import_id is not distinct from %(import_id)s as is_touched, l.*
            from listings l where {HAS_KEY} {"for no key update" if lock else "offset 0"}
        ) l
    """
    return Compared(**binary.execute(query, run.key, **binary.as_arrays(rows)))


def update(run: Run, changes: pa.Table) -> None:
    """Write to listings that ``compare`` has locked in this transaction, at their places; see ``in_place``.

    ``changes`` has these columns: ``place``; ``line`` and ``hidden_line``, the new marks; ``is_higher``, whether the
    listing gets the values, which are columns too; and its new ``hidden``, null where it stays.
    """
    said = _names_in(run.layout)
    changes = changes.select(["place", "line", "hidden_line", "is_higher", "hidden", *said])
    query = f"""
        update listings l set
            {", ".join(f"{name} = case when k.is_higher then k.{name} else l.{name} end" for name in said)},
            hidden = coalesce(k.hidden, l.hidden),
            updated_import_id = %(import_id)s, updated_line = k.line, hidden_line = k.hidden_line,
            values_before = case when l.updated_import_id = %(import_id)s
                then l.values_before else {_digest("l", run.layout, run.digest_format)} end,
            hidden_before = case when l.updated_import_id = %(import_id)s then l.hidden_before else l.hidden end,
            edits_before = l.edits, put_back_import_id = null, updated_at = now()
        from {binary.unnest(changes.schema)}
        where l.ctid = k.place and l.seller_id = %(seller_id)s
    """
    binary.execute(query, run.key, **binary.as_arrays(changes))


def digests(values: Sequence[Values], layout: Layout) -> list[int]:
    """The digests of values, as far as a file of the ``layout`` has them, in the newest format."""
    if not values:
        return []
    columns = dict(zip(_VALUE_NAMES, zip(*values, strict=True), strict=True))
    rows = pa.table({name: pa.array(columns[name], SCHEMA.field(name).type) for name in _names_in(layout)})
    query = f"select array_agg({_digest('k', layout)}) as digests from {binary.unnest(rows.schema)}"
    return [*binary.execute(query, binary.as_arrays(rows))["digests"].tolist()]


def _digest(alias: str, layout: Layout, digest_format: int = DIGEST_FORMAT) -> str:
    """SQL: a 64-bit hash of the values of a row; collisions are negligible. Null in a format of another release.

    It covers only the values that the file has, so that it stays the same when a release adds a column while an import
    of an older layout runs.
    """
    if digest_format != DIGEST_FORMAT:
        return "null::int8"
    return f"hash_record_extended(row({each(alias, _names_in(layout))}), 0)"


def _names_in(layout: Layout) -> list[str]:
    """The names of the values that a file of this layout has."""
    return [field.name for column, field in VALUES.items() if column in layout.columns]


def iter_pages(seller_id: int) -> Iterator[list[ExportedListing]]:
    """All listings of a seller in the order of their keys, a page at a time.

    Each page is a separate statement: the caller may end its transaction between two pages.
    """
    after = {"item_id": 0, "condition": 0, "variants": ""}
    query = f"""
        select l.item_id, l.condition, l.variants, i.urn, {each("l", FIELD_NAMES)}
        from (
            select * from listings
            where seller_id = %(seller_id)s
              and (item_id, condition, variants) > (%(item_id)s::int, %(condition)s::smallint, %(variants)s)
            order by item_id, condition, variants
            limit %(limit)s
        ) l join items i on i.id = l.item_id
        order by l.item_id, l.condition, l.variants
    """
    while rows := fetch(query, seller_id=seller_id, **after, limit=_PAGE_ROWS):
        yield [ExportedListing(row.urn, row.condition, row.variants, fields_of(row)) for row in rows]
        after = {name: getattr(rows[-1], name) for name in KEY}


def fields_of(row: Any, prefix: str = "") -> dict[str, Value]:
    """What a listing holds, of a row with the columns of the table, with this ``prefix`` before their names."""
    return {name: getattr(row, prefix + name) for name in FIELD_NAMES}


def list_created_lines(key: ImportKey) -> list[int]:
    """The lines of an import that created a listing, in ascending order."""
    query = """
        select created_line from listings where seller_id = %(seller_id)s and created_import_id = %(import_id)s
        order by created_line
    """
    return fetch_values(query, key)
