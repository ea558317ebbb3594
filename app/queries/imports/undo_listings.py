"""The listings that an undo would change or keep, and those that it has kept, for pages and downloads."""

import uuid
from typing import Any, NamedTuple

from app.csvfile.columns import Value
from app.queries import ImportKey, each, fetch
from app.queries.imports.undo import AS_CREATED, AS_UPDATED, KEPT_BEFORE, get_passes, kept_by
from app.queries.listings.earlier_values import entries
from app.queries.listings.listings import FIELD_NAMES, HAS_KEY, KEY, ListingKey, fields_of, key_of
from app.statuses import ImportKind

#: Examples are looked for in so many records at most.
_RECORDS_SEARCHED = 20
_FIRST_RECORDS = f"""(
    select * from earlier_values r where r.seller_id = %(seller_id)s and r.import_id = %(import_id)s
    order by r.id limit {_RECORDS_SEARCHED})"""
#: Of entries of records: those that the next undo goes over.
_IN_PASS = f"(cardinality(%(undos)s::bigint[]) = 0 or {kept_by('e', 'undos')})"


class Example(NamedTuple):
    """A listing that an undo would remove, or put back."""

    urn: str
    name: str
    condition: int
    variants: str
    #: By field: what it holds, and what it would; empty where it would be removed.
    now: dict[str, Value]
    then: dict[str, Value]


class Kept(NamedTuple):
    """A listing that an undo has kept, and why."""

    key: ListingKey
    urn: str
    name: str
    #: The import and line, or the undo, that had changed it since; None if none had, or its record is gone.
    changer_id: uuid.UUID | None
    changer_name: str | None
    changer_kind: ImportKind | None
    line: int | None
    is_edited: bool
    #: Nobody has recorded what it was before.
    is_unrecorded: bool


def list_removed(parent: ImportKey, *, limit: int) -> list[Example]:
    """The first listings that undoing the import ``parent`` would remove."""
    query = f"""
        select i.urn, i.name, l.* from listings l join items i on i.id = l.item_id
        where l.seller_id = %(seller_id)s and l.created_import_id = %(import_id)s and {AS_CREATED}
            and not {KEPT_BEFORE}
        order by {each("l", KEY)} limit %(limit)s
    """
    rows = fetch(query, parent, undos=get_passes(parent).current, limit=limit)
    return [Example(row.urn, row.name, row.condition, row.variants, fields_of(row), {}) for row in rows]


def list_put_back(parent: ImportKey, *, limit: int) -> list[Example]:
    """The first listings that undoing the import ``parent`` would put back."""
    then = ", ".join(f"case when k.has_{name} then k.{name} else l.{name} end as then_{name}" for name in FIELD_NAMES)
    query = f"""
        select i.urn, i.name, k.condition, k.variants, {each("l", FIELD_NAMES)}, {then}
        from (
            select e.*, {", ".join(f"r.{name} is not null as has_{name}" for name in FIELD_NAMES)}
            from {entries(_FIRST_RECORDS)} offset 0
        ) k
        cross join lateral (
            select * from listings l where {HAS_KEY} and {AS_UPDATED} and not {KEPT_BEFORE} offset 0
        ) l
        join items i on i.id = k.item_id
        limit %(limit)s
    """
    rows = fetch(query, parent, undos=get_passes(parent).current, limit=limit)
    return [
        Example(row.urn, row.name, row.condition, row.variants, fields_of(row), fields_of(row, "then_")) for row in rows
    ]


def list_to_keep(parent: ImportKey, *, limit: int) -> list[Kept]:
    """Some of the listings that undoing the import ``parent`` would keep.

    None where an undo of it has left a rest: which of them that has kept already is not looked up.
    """
    passes = get_passes(parent)
    if passes.current:
        return []
    query = f"""
        select * from (
            (select l.seller_id, {each("l", KEY)}, l.updated_import_id as changed_import_id,
                l.updated_line as changed_line, l.edits is not null as is_edited, false as is_unrecorded
             from listings l
             where l.seller_id = %(seller_id)s and l.created_import_id = %(import_id)s and not {AS_CREATED}
             order by {each("l", KEY)} limit %(limit)s)
            union all
            (select l.seller_id, {each("l", KEY)}, nullif(l.updated_import_id, %(import_id)s),
                case when l.updated_import_id <> %(import_id)s then l.updated_line end,
                l.edits is distinct from l.edits_before, false
             from (select distinct {each("e", KEY)} from {entries(_FIRST_RECORDS)} where {_IN_PASS} offset 0) k
             cross join lateral (select * from listings l where {HAS_KEY} and not {AS_UPDATED} offset 0) l
             limit %(limit)s)
        ) l
        limit %(limit)s
    """
    return _name(query, parent, limit=limit, undos=passes.complete)


def count_changed(parent: ImportKey) -> dict[int, int]:
    """By the import that was the last to change them, how many listings undoing the import ``parent`` would keep.

    Without those that have been changed by hand since, which no undo makes as the import left them. Nothing where an
    undo of it has left a rest, as for ``list_to_keep``.
    """
    passes = get_passes(parent)
    if passes.current:
        return {}
    query = f"""
        select changer, sum(listings)::int as listings from (
            select l.updated_import_id as changer, count(*) as listings from listings l
            where l.seller_id = %(seller_id)s and l.created_import_id = %(import_id)s
                and l.updated_import_id <> %(import_id)s and l.edits is not distinct from l.edits_before
            group by 1
            union all
            select l.updated_import_id, count(*)
            from (
                select distinct {each("e", KEY)} from {entries()}
                where r.seller_id = %(seller_id)s and r.import_id = %(import_id)s and {_IN_PASS}
            ) k
            join listings l on {HAS_KEY}
            where l.created_import_id <> %(import_id)s and l.updated_import_id <> %(import_id)s
                and l.edits is not distinct from l.edits_before
            group by 1
        ) l
        group by 1
    """
    return {row.changer: row.listings for row in fetch(query, parent, undos=passes.complete)}


def list_kept(undo: ImportKey, *, limit: int, after: ListingKey = (0, 0, "")) -> list[Kept]:
    """The listings that an undo has kept, in the order of their keys, from behind ``after``."""
    query = f"""
        select * from kept_listings where seller_id = %(seller_id)s and import_id = %(import_id)s
            and (item_id, condition, variants) > (%(item_id)s::int, %(condition)s::smallint, %(variants)s)
        order by {", ".join(KEY)} limit %(limit)s
    """
    return _name(query, undo, limit=limit, **dict(zip(KEY, after, strict=True)))


def _name(kept: str, key: ImportKey, **values: Any) -> list[Kept]:
    """The listings that the query ``kept`` finds, with the names of their items and of what has changed them."""
    query = f"""
        select k.item_id, k.condition, k.variants, i.urn, i.name,
            k.changed_import_id, k.changed_line, k.is_edited, k.is_unrecorded
        from ({kept}) k
        join items i on i.id = k.item_id
        order by {each("k", KEY)}
    """
    rows = fetch(query, key, **values)
    # A statement of its own, because the imports are in the ledger.
    query = """
        select id, public_id, coalesce(name, file_name) as name, kind from imports
        where seller_id = %(seller_id)s and id = any(%(ids)s::bigint[]) and deleted_at is null
    """
    ids = {row.changed_import_id for row in rows} - {None}
    by_id = {changer.id: changer for changer in fetch(query, seller_id=key.seller_id, ids=[*ids])}
    return [_kept(row, by_id.get(row.changed_import_id)) for row in rows]


def _kept(row: Any, changer: Any | None) -> Kept:
    return Kept(
        key=key_of(row),
        urn=row.urn,
        name=row.name,
        changer_id=changer and changer.public_id,
        changer_name=changer and changer.name,
        changer_kind=changer and ImportKind(changer.kind),
        line=row.changed_line,
        is_edited=row.is_edited,
        is_unrecorded=row.is_unrecorded,
    )
