"""Undoing an import: what it has created and updated, and reversing a slice of that.

Whether a listing still is as the import left it is decided by marks and counts alone. It is, if the import created it
and nothing has changed it since, or if the import was the last to update it and nobody has edited it since. An undo
puts the marks back with the values: the listing is as if the import had never been, to older imports as well.

**Slices.** The batches of an undo are slices of numbers, as those of an import are slices of bytes. Numbers below
``RECORDS`` are items: the batch is about the listings for them that the import created. Those from there on are
records of earlier values: it is about the listings in them, which the import updated. A listing is in one slice.

**Passes.** The first undo of an import, and those that undo the rest of it if it is terminated, go over all that the
import has written: a pass. The next pass goes over what the one before has kept, by ``kept_listings``.

**Locks.** An undo inserts no listing and locks in the order of the keys, so it deadlocks with no import (see
``queries.listings``): it waits only for locks, and who waits for a listing that it deletes holds none.
"""

from typing import Any, NamedTuple

from app.queries import BatchKey, ImportKey, each, execute, fetch, fetch_as, fetch_one, fetch_value, fetch_values
from app.queries.listings.earlier_values import ENTRY, MARKS, entries
from app.queries.listings.listings import FIELD_NAMES, HAS_KEY, KEY, in_place
from app.queries.status_sets import KIND_CHECK, KIND_UNDO

#: Where the numbers of records begin: items have smaller ones.
RECORDS = 1 << 31

#: Items are counted together so many at a time.
_ITEMS_COUNTED_AT_ONCE = 64

_KEY = ", ".join(KEY)
#: The columns of a record that are null in those of a release that has no such column.
_NULLABLE = (*FIELD_NAMES, *MARKS)


def kept_by(listing: str, undos: str) -> str:
    """SQL: whether one of the ``undos``, a parameter, has kept the listing with the key of ``listing``."""
    return f"""
    exists (
        select from kept_listings by_undo
        where by_undo.seller_id = %(seller_id)s and by_undo.import_id = any(%({undos})s::bigint[])
          and {" and ".join(f"by_undo.{name} = {listing}.{name}" for name in KEY)}
        offset 0)
    """


# Conditions on a listing ``l`` of which the import is known to have created it, or updated it and have its record.
AS_CREATED = "(l.updated_import_id is null and l.edits is null)"
AS_UPDATED = "(l.updated_import_id = %(import_id)s and l.edits is not distinct from l.edits_before)"

_CREATED = "l.seller_id = %(seller_id)s and l.created_import_id = %(import_id)s"
#: Updated by the import, and by a worker that recorded no earlier values.
_UNRECORDED = f"""
    l.seller_id = %(seller_id)s and l.updated_import_id = %(import_id)s and l.created_import_id <> %(import_id)s
    and not exists (
        select from {entries()}
        where r.seller_id = %(seller_id)s and r.import_id = %(import_id)s
          and (e.item_id, e.condition, e.variants) = (l.item_id, l.condition, l.variants))
"""
#: Kept by an undo of it that was terminated or gave a batch up: by one of ``Passes.current``.
KEPT_BEFORE = kept_by("l", "undos")
_RECORDS = "r.seller_id = %(seller_id)s and r.import_id = %(import_id)s"
_SAME = " and ".join(f"k.{name} = e.{name}" for name in KEY)
#: The entries of records of listings that are in an earlier record, too.
_REPEATED = f"""
    select k.* from (select r.id, {each("e", KEY)} from {entries()} where {_RECORDS}) k
    where exists (select from {entries()} where {_RECORDS} and r.id < k.id and {_SAME})
"""


class Slice(NamedTuple):
    """Consecutive numbers, from ``start`` to before ``end``, and the listings of the import that belong to them."""

    start: int
    end: int
    listings: int


class Reversed(NamedTuple):
    """What has come of the listings from a batch's cursor on."""

    #: The batch's new cursor.
    cursor: int
    removed: int
    put_back: int
    kept: int


class Passes(NamedTuple):
    """The undos of an import: those of the last complete pass, and those of a pass that has a rest."""

    complete: list[int]
    current: list[int]


class Left(NamedTuple):
    """The numbers of listings that an import has created or updated."""

    #: That it created, and of those and of the others, those that are as it has left them.
    created: int
    as_created: int
    as_updated: int


def hold(parent: ImportKey) -> None:
    """Keep an import as it is until the end of this transaction."""
    execute("select from imports where seller_id = %(seller_id)s and id = %(import_id)s for no key update", parent)


def get_passes(parent: ImportKey, *, before: int | None = None) -> Passes:
    """The undos of an import by their passes; with ``before``, those that were begun before this one."""
    query = f"""
        select i.id, i.total > sum(b.created + b.updated + b.unchanged) as has_rest
        from imports i join batches b on b.seller_id = i.seller_id and b.import_id = i.id
        where i.seller_id = %(seller_id)s and i.parent_id = %(import_id)s and i.kind = {KIND_UNDO}
          and (%(before)s::bigint is null or i.id < %(before)s)
        group by i.seller_id, i.id order by i.id
    """
    passes = Passes([], [])
    for one in fetch(query, parent, before=before):
        undos = [*passes.current, one.id]
        passes = passes._replace(current=undos) if one.has_rest else Passes(undos, [])
    return passes


# Planning -------------------------------------------------------------------------------------------------------------


def list_created(parent: ImportKey) -> list[Slice]:
    """The listings that an import created, in many small slices in the order of their items."""
    query = f"""
        select min(item_id) as start, max(item_id) + 1 as "end", count(*) as listings from listings l where {_CREATED}
        group by item_id / {_ITEMS_COUNTED_AT_ONCE} order by 1
    """
    return fetch_as(Slice, query, parent)


def list_recorded(parent: ImportKey, kept: list[int]) -> list[Slice]:
    """The records of the listings that an import updated, each as a slice; of those that the undos ``kept``, if any."""
    if kept:
        query = f"""
            select r.id + {RECORDS} as start, r.id + {RECORDS + 1} as "end", count(*) as listings
            from {entries()} where {_RECORDS} and {kept_by("e", "kept")} group by r.id order by r.id
        """
        return fetch_as(Slice, query, parent, kept=kept)
    query = f"""
        select id + {RECORDS} as start, id + {RECORDS + 1} as "end", listings
        from earlier_values r where {_RECORDS} order by id
    """
    return fetch_as(Slice, query, parent)


def can_repeat(parent: ImportKey) -> bool:
    """Whether a listing can be in two records of an import, because another run has changed it between.

    Such a run has been at work beside the import, and the later record says that it was the last to update the listing,
    unless an undo has put that back. This is nearly always false, so that the search for such listings is spared.

    Numbers of one sequence are drawn before the first and after the last chunk of each run: the one that is drawn later
    is the higher, whatever the clocks say.
    """
    query = f"""
        select o.id, o.kind = {KIND_UNDO} as is_undo
        from imports i join imports o on o.seller_id = i.seller_id and o.id <> i.id
        where i.seller_id = %(seller_id)s and i.id = %(import_id)s and o.kind <> {KIND_CHECK}
          and (i.end_number is null or o.id < i.end_number) and (o.end_number is null or i.id < o.end_number)
    """
    beside = fetch(query, parent)
    query = f"""
        select exists (select from earlier_values r where {_RECORDS}
            and (r.updated_import_id is null or r.updated_import_id && %(beside)s::bigint[]))
    """
    found = fetch_value(query, parent, beside=[run.id for run in beside])
    return bool(found) or any(run.is_undo for run in beside)


def count_recorded(parent: ImportKey) -> int:
    """The number of different listings in the records of an import."""
    query = f"""
        select coalesce(sum(r.listings), 0) - (select count(*) from ({_REPEATED}) k)
        from earlier_values r where {_RECORDS}
    """
    return int(fetch_value(query, parent))


def drop_repeated(parent: ImportKey) -> None:
    """Leave each listing in the first of its records only: that has what it was before the import."""
    left_over = (
        *(f"coalesce(array_agg(e.{name}), '{{}}')" for name in KEY),
        *(f"case when r.{name} is not null then coalesce(array_agg(e.{name}), '{{}}') end" for name in _NULLABLE),
    )
    query = f"""
        with repeated as materialized ({_REPEATED})
        update earlier_values r set (listings, {", ".join(ENTRY)}) = (
            select count(*), {", ".join(left_over)} from unnest({each("r", ENTRY)}) e ({", ".join(ENTRY)})
            where not exists (select from repeated k where k.id = r.id and {_SAME})
        )
        where {_RECORDS} and r.id in (select id from repeated)
    """
    execute(query, parent)


def count_unrecorded_rows(parent: ImportKey) -> int:
    """The number of rows that updated listings without a record: those that a release before 0.17 has processed."""
    query = """
        select coalesce(sum(updated - reversible), 0) from batches
        where seller_id = %(seller_id)s and import_id = %(import_id)s
    """
    return int(fetch_value(query, parent))


def keep_unrecorded(undo: ImportKey, parent: ImportKey) -> int:
    """Keep the listings that the import was the last to update, without a record. Returns their number."""
    query = f"""
        insert into kept_listings (seller_id, import_id, {_KEY}, is_edited, is_unrecorded)
        select l.seller_id, %(undo)s, {each("l", KEY)}, false, true
        from listings l where {_UNRECORDED}
    """
    return execute(query, parent, undo=undo.import_id)


# Counting -------------------------------------------------------------------------------------------------------------


def count_left(parent: ImportKey, *, unrecorded: bool, undos: list[int]) -> Left:
    """The listings that an import has left, and those that an undo would change now: if updated, they are recorded.

    ``unrecorded`` says that there may be some without a record. What ``undos`` have kept is left out.
    """
    recorded = f"not ({_UNRECORDED})" if unrecorded else "true"
    is_open = f"not {KEPT_BEFORE}" if undos else "true"
    query = f"""
        select count(*) filter (where l.created_import_id = %(import_id)s) as created,
            count(*) filter (where l.created_import_id = %(import_id)s and {AS_CREATED} and {is_open}) as as_created,
            count(*) filter (
                where l.created_import_id <> %(import_id)s and {AS_UPDATED} and {recorded} and {is_open}) as as_updated
        from listings l
        where l.seller_id = %(seller_id)s and %(import_id)s in (l.created_import_id, l.updated_import_id)
    """
    return fetch_as(Left, query, parent, undos=undos)[0]


def count_unrecorded(parent: ImportKey) -> int:
    """The number of listings that ``keep_unrecorded`` would keep."""
    return int(fetch_value(f"select count(*) from listings l where {_UNRECORDED}", parent))


def count_removed(parent: ImportKey) -> int:
    """The number of listings that undos of an import have removed."""
    query = f"""
        select coalesce(sum(b.created), 0) from imports i
        join batches b on b.seller_id = i.seller_id and b.import_id = i.id
        where i.seller_id = %(seller_id)s and i.parent_id = %(import_id)s and i.kind = {KIND_UNDO}
    """
    return int(fetch_value(query, parent))


def count_kept(seller_id: int, undos: list[int]) -> int:
    """The number of listings that are recorded as kept by some undos."""
    query = (
        "select count(*) from kept_listings where seller_id = %(seller_id)s and import_id = any(%(undos)s::bigint[])"
    )
    return int(fetch_value(query, seller_id=seller_id, undos=undos))


def list_kept_lines(parent: ImportKey) -> list[int]:
    """The lines of an import that have set what its last complete undo has kept of it, as far as that was recorded.

    Where a later import has changed the listing, its earlier values tell the line.
    """
    undos = get_passes(parent).complete
    if not count_kept(parent.seller_id, undos):
        return []
    query = f"""
        select case when l.created_import_id = %(import_id)s then l.created_line else l.updated_line end as line
        from kept_listings k join listings l on {HAS_KEY}
        where k.seller_id = %(seller_id)s and k.import_id = any(%(undos)s::bigint[])
          and (l.created_import_id = %(import_id)s or l.updated_import_id = %(import_id)s)
        union
        select e.updated_line from {entries()} join kept_listings k on {_SAME}
        where r.seller_id = %(seller_id)s and r.import_id > %(import_id)s and e.updated_import_id = %(import_id)s
          and k.seller_id = %(seller_id)s and k.import_id = any(%(undos)s::bigint[])
    """
    return [line for line in fetch_values(query, parent, undos=undos) if line is not None]


# Reversing ------------------------------------------------------------------------------------------------------------


def reverse(undo: BatchKey, parent: ImportKey, *, start: int, end: int, limit: int) -> Reversed:
    """Reverse what the import ``parent`` did to about ``limit`` listings of the slice from ``start`` to ``end``.

    Listings that are not as the import left them are kept, and recorded with what has changed them. The caller has
    locked the batch ``undo``.
    """
    values = {**parent._asdict(), "undo": undo.import_id, "start": start, "end": end, "limit": limit}
    if start < RECORDS:
        return _remove_created(values)
    return _put_back({**values, "kept": get_passes(parent, before=undo.import_id).complete})


def _remove_created(values: dict[str, int]) -> Reversed:
    """Look through about ``limit`` listings of the seller, and remove those that the import created."""
    query = f"""
        select count(*) as found, max(item_id) + 1 as after from (
            select item_id from listings l
            where l.seller_id = %(seller_id)s and l.item_id >= %(start)s and l.item_id < %(end)s
            order by {_KEY} limit %(limit)s
        ) l
    """
    listings = fetch_one(query, values)
    if listings.found == values["limit"]:
        values = {**values, "end": listings.after}
    created = f"{_CREATED} and l.item_id >= %(start)s and l.item_id < %(end)s"
    # What another transaction has changed while this one waited for its locks is seen by the next statement only.
    execute(f"select count(*) from (select from listings l where {created} order by {_KEY} for update) l", values)
    query = f"""
        with removed as (
            delete from listings l where {created} and {AS_CREATED} returning 1
        ), kept as (
            insert into kept_listings ({_KEPT})
            select l.seller_id, %(undo)s, {each("l", KEY)}, l.updated_import_id, l.updated_line, l.edits is not null
            from listings l where {created} and not {AS_CREATED}
            returning 1
        )
        select (select count(*) from removed) as removed, (select count(*) from kept) as kept
    """
    reversed_ = fetch_one(query, values)
    return Reversed(values["end"], reversed_.removed, 0, reversed_.kept)


def _put_back(values: dict[str, Any]) -> Reversed:
    """Give the listings in some records, at least one, the values that they had.

    In a later pass, only those that the undos ``kept``.
    """
    query = f"""
        select max(id) + {RECORDS + 1} as "end", sum(listings)::int as listings from (
            select r.id, r.listings, sum(r.listings) over (order by r.id) as so_far
            from earlier_values r where {_RECORDS} and {_IN_SLICE}
        ) r
        where so_far <= %(limit)s or so_far = listings
    """
    records = fetch_one(query, values)
    if records.end is None:
        # They have been removed, which retention does not do while an undo needs them.
        raise LookupError(f"no earlier values from {values['start']} on")
    values = {**values, "end": records.end}
    listings = records.listings
    if values["kept"]:
        listings = fetch_value(f"select count(*) from {entries()} where {_RECORDS} and {_to_put_back(values)}", values)
    execute("savepoint unlocked")
    put_back, kept = _put_back_or_keep(values, listings)
    if put_back + kept < listings:
        # Another undo has made a listing as the import left it, after the first statement had looked at it. That cannot
        # be once all are locked, in the order of the keys (see ``queries.listings``). Locking takes a third of the
        # time, and is seldom needed.
        execute("rollback to savepoint unlocked")
        query = f"""
            select count(*) from (
                select {each("e", KEY)} from {entries()} where {_RECORDS} and {_to_put_back(values)}
                order by {each("e", KEY)} offset 0
            ) k cross join lateral (select from listings l where {HAS_KEY} for no key update) l
        """
        execute(query, values)
        put_back, _ = _put_back_or_keep(values, listings)
    return Reversed(records.end, 0, put_back, listings - put_back)


def _put_back_or_keep(values: dict[str, Any], listings: int) -> tuple[int, int]:
    """How many of the ``listings`` in some records it has put back, and how many it has recorded as kept."""
    in_records = f"""(
        select {each("e", ENTRY)}, r.updated_import_id is null as is_unmarked,
            {", ".join(f"r.{name} is null as no_{name}" for name in FIELD_NAMES)}
        from {entries()} where {_RECORDS} and {_to_put_back(values)} order by {each("e", KEY)} offset 0
    ) k"""
    # As in ``queries.listings``: the listings are looked up by their keys, in that order, and written at their places.
    # What another transaction has changed while this one waited for it is looked at again, but not its place.
    query = f"""
        update listings l set
            {", ".join(f"{name} = case when k.no_{name} then l.{name} else k.{name} end" for name in FIELD_NAMES)},
            {", ".join(f"{name} = k.{name}" for name in MARKS if name not in _LAST_UPDATE)},
            updated_import_id = case when k.is_unmarked then %(undo)s else k.updated_import_id end,
            edits_before = case when k.is_unmarked then l.edits else k.edits_before end,
            put_back_import_id = %(undo)s, updated_at = now()
        from (
            select k.*, l.place from {in_records}
            cross join lateral (select l.ctid as place from listings l where {HAS_KEY} and {AS_UPDATED} offset 0) l
            offset 0
        ) k
        where l.ctid = k.place and l.seller_id = %(seller_id)s and {AS_UPDATED}
    """
    with in_place(values["seller_id"]):
        put_back = execute(query, values)
    if put_back == listings:
        return put_back, 0
    query = f"""
        insert into kept_listings ({_KEPT})
        select %(seller_id)s, %(undo)s, {each("k", KEY)}, nullif(l.updated_import_id, %(import_id)s),
            case when l.updated_import_id <> %(import_id)s then l.updated_line end,
            l.edits is distinct from l.edits_before
        from {in_records} left join lateral (select * from listings l where {HAS_KEY} offset 0) l on true
        where l.put_back_import_id is distinct from %(undo)s and {AS_UPDATED} is not true
        on conflict do nothing
    """
    return put_back, execute(query, values)


def _to_put_back(values: dict[str, Any]) -> str:
    """SQL: whether an entry ``e`` of a record ``r`` is in the slice and in the pass."""
    return f"{_IN_SLICE} and {kept_by('e', 'kept')}" if values["kept"] else _IN_SLICE


#: Of the marks, those by which it is told what has changed a listing last.
_LAST_UPDATE = ("updated_import_id", "edits_before")
_KEPT = f"seller_id, import_id, {_KEY}, changed_import_id, changed_line, is_edited"
_IN_SLICE = f"r.id >= %(start)s - {RECORDS} and r.id < %(end)s - {RECORDS}"
