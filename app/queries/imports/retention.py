"""Finds what has exceeded its retention, and deletes it in slices. Imports that are not over are never affected."""

from collections.abc import Collection
from typing import NamedTuple

from app.queries import ImportKey, change, delete_some, execute, fetch, fetch_as
from app.queries.status_sets import ITS_UNDOS

#: The failed rows, and the tables that are deleted with them. They have no foreign keys: see ``models``.
_ERROR_TABLES = (
    *("row_errors", "error_groups", "foreseen_changes", "listing_warnings", "kept_listings"),
    *("corrections", "answers", "open_values", "fixings"),
)

_OLD = "i.finished_at < clock_timestamp() - make_interval(days => %(days)s)"
#: An import needs the file of the import ``i``: one that is not over, or not for that long.
_IS_NEEDED = """
    exists (
        select from imports o where o.seller_id = i.seller_id and o.storage_key = i.storage_key
          and (o.finished_at is null or o.finished_at >= clock_timestamp() - make_interval(days => %(days)s)))
"""

#: The storage key of what an attempt at a conversion has written: its public id, the attempt, and which file it is.
_WRITTEN = r"/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([0-9]+)\.([a-z]+)$"


class StoredFile(NamedTuple):
    """A stored file, which several imports of a seller may share."""

    seller_id: int
    storage_key: str


def find_old_sources(*, days: int, limit: int) -> list[StoredFile]:
    """The files of which all imports ended that long ago."""
    query = f"""
        select distinct i.seller_id, i.storage_key from imports i
        where {_OLD} and i.source_removed_at is null and not {_IS_NEEDED} limit %(limit)s
    """
    return fetch_as(StoredFile, query, days=days, limit=limit)


def give_up_source(file: StoredFile, *, days: int) -> bool:
    """Mark a file as deleted in all imports that share it. Returns false if one still needs it.

    A transaction that starts another import of the file locks the one it comes from (``hold_source``), so this waits
    for it and sees the new import.
    """
    query = """
        select 1 from imports where seller_id = %(seller_id)s and storage_key = %(storage_key)s for no key update
    """
    execute(query, file)
    query = f"""
        update imports i set source_removed_at = clock_timestamp()
        where i.seller_id = %(seller_id)s and i.storage_key = %(storage_key)s and i.source_removed_at is null
          and not {_IS_NEEDED}
    """
    return change(query, file, days=days)


def hold_source(key: ImportKey) -> bool:
    """Keep the file of an import until the end of this transaction. Returns false if it has been deleted."""
    query = """
        select 1 from imports where seller_id = %(seller_id)s and id = %(import_id)s and source_removed_at is null
        for share
    """
    return bool(fetch(query, key))


def find_unneeded(keys: Collection[StoredFile]) -> list[StoredFile]:
    """Those of ``keys`` that nothing has: no import and no conversion, or none that still keeps its file.

    The companions that tell the lines of a conversion's rows are needed for as long as there is the conversion.
    """
    query = """
        select k.seller_id, k.storage_key
        from unnest(cast(%(sellers)s as int[]), cast(%(names)s as text[])) as k (seller_id, storage_key)
        where not exists (
            select 1 from imports i where i.seller_id = k.seller_id and i.storage_key = k.storage_key
              and i.source_removed_at is null)
          and not exists (
            select 1 from conversions c where c.seller_id = k.seller_id
              and k.storage_key in (c.storage_key, c.text_key) and c.source_removed_at is null)
          and not exists (
            select 1 from conversions c, regexp_match(k.storage_key, %(written)s) as part
            where c.seller_id = k.seller_id and c.public_id = cast(part[1] as uuid)
              and cast(c.attempt as text) = part[2]
              and (c.source_removed_at is null or part[3] in ('origins', 'added')))
    """
    sellers, names = [key.seller_id for key in keys], [key.storage_key for key in keys]
    return fetch_as(StoredFile, query, sellers=sellers, names=names, written=_WRITTEN)


def find_old_errors(*, days: int, limit: int, without: Collection[int] = ()) -> list[ImportKey]:
    """The imports that ended that long ago and whose failed rows are still stored, but for these sellers."""
    return _find(f"{_OLD} and i.errors_removed_at is null", days=days, limit=limit, without=without)


def find_old_imports(*, days: int, limit: int, without: Collection[int] = ()) -> list[ImportKey]:
    """The imports that ended that long ago, but for these sellers. An import is kept as long as its retry."""
    has_retry = "exists (select 1 from imports c where c.seller_id = i.seller_id and c.parent_id = i.id)"
    return _find(f"{_OLD} and not {has_retry}", days=days, limit=limit, without=without)


def find_old_earlier_values(*, days: int, limit: int, without: Collection[int] = ()) -> list[ImportKey]:
    """The imports that can be undone no more, because they ended that long ago, and still have earlier values.

    Only a day later than that, so that none is meanwhile begun to be undone.
    """
    condition = f"""
        {_OLD} and (i.seller_id, i.id) in (select seller_id, import_id from earlier_values)
        and not exists ({ITS_UNDOS} and u.finished_at is null)
    """
    return _find(condition, days=days + 1, limit=limit, without=without)


def forget_some_earlier_values(key: ImportKey) -> bool:
    """Delete as many earlier values of an import as one transaction should. Returns whether there were any."""
    return delete_some(("earlier_values",), key)


def _find(condition: str, *, days: int, limit: int, without: Collection[int]) -> list[ImportKey]:
    query = f"""
        select i.seller_id, i.id as import_id from imports i
        where {condition} and i.seller_id <> all(%(without)s::int[]) order by i.finished_at limit %(limit)s
    """
    return fetch_as(ImportKey, query, days=days, limit=limit, without=[*without])


def delete_some_errors(key: ImportKey) -> bool:
    """Delete as much of what is stored of an import's rows as one transaction should; whether there was any.

    That is its failed rows with their groups and corrections, the changes that a check foresaw, the warnings about
    listings, and the listings that an undo has kept.
    """
    return delete_some(_ERROR_TABLES, key)


def mark_errors_removed(key: ImportKey) -> None:
    """Mark the failed rows of an import as deleted."""
    query = """
        update imports set errors_removed_at = clock_timestamp()
        where seller_id = %(seller_id)s and id = %(import_id)s and finished_at is not null
    """
    execute(query, key)


def delete_import(key: ImportKey) -> None:
    """Delete an import that is over, with its batches; what chunks have written must be gone already."""
    query = "delete from imports where seller_id = %(seller_id)s and id = %(import_id)s and finished_at is not null"
    execute(query, key)
