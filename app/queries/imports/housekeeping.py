"""Sellers' housekeeping in SQL: naming imports, noting something, marking them as dealt with, and deleting them."""

from collections.abc import Collection

from app.queries import ImportKey, change, fetch_as
from app.queries.imports.retention import StoredFile
from app.queries.status_sets import ITS_UNDOS, KIND_UNDO

_THIS = "seller_id = %(seller_id)s and id = %(import_id)s and deleted_at is null"


def annotate(key: ImportKey, *, name: str | None, note: str | None) -> None:
    """Set the name and the note of an import; None: it has none."""
    change(f"update imports set name = %(name)s, note = %(note)s where {_THIS}", key, name=name, note=note)


def set_dealt_with(key: ImportKey, *, dealt_with: bool) -> bool:
    """Note whether an import that is over is dealt with. Returns false if it is not over."""
    query = f"""
        update imports set dealt_with_at = case when %(dealt_with)s then coalesce(dealt_with_at, clock_timestamp()) end
        where {_THIS} and finished_at is not null
    """
    return change(query, key, dealt_with=dealt_with)


def delete(key: ImportKey) -> bool:
    """Mark an import that is over as deleted: nobody sees it any more. Returns false if it is not over.

    It lets go of the import that it came from and of those that came from it, and of the form that created it. Not
    while it is being undone; and an undo not before its import, which knows by it what is left of its listings.
    """
    query = f"""
        update imports i set deleted_at = clock_timestamp(), parent_id = null, retried_rows = null, form_key = null,
            is_unseen = false
        where {_THIS} and finished_at is not null and (kind <> {KIND_UNDO} or parent_id is null)
          and not exists ({ITS_UNDOS} and u.finished_at is null)
    """
    deleted = change(query, key)
    if deleted:
        query = """
            update imports set parent_id = null, retried_rows = null
            where seller_id = %(seller_id)s and parent_id = %(import_id)s
        """
        change(query, key)
    return deleted


def find_deleted(*, limit: int, without: Collection[int] = ()) -> list[ImportKey]:
    """The deleted imports of which something is still stored, but for these sellers.

    The imports themselves, which hold no more than counters then, stay for a day: they count against the day's quota.
    """
    query = """
        select seller_id, id as import_id from imports
        where deleted_at is not null and (errors_removed_at is null or source_removed_at is null
            or created_at < clock_timestamp() - interval '1 day') and seller_id <> all(%(without)s::int[])
        order by deleted_at limit %(limit)s
    """
    return fetch_as(ImportKey, query, limit=limit, without=[*without])


def let_go_of_source(key: ImportKey) -> list[StoredFile]:
    """Note that a deleted import needs its file no longer. Returns the file.

    Waits for a transaction that starts another import of the file, which then needs it.
    """
    query = """
        update imports set source_removed_at = coalesce(source_removed_at, clock_timestamp())
        where seller_id = %(seller_id)s and id = %(import_id)s returning seller_id, storage_key
    """
    return fetch_as(StoredFile, query, key)


def drop_deleted(key: ImportKey) -> None:
    """Delete what is left of a deleted import, unless it counts against the day's quota."""
    query = """
        delete from imports where seller_id = %(seller_id)s and id = %(import_id)s and deleted_at is not null
          and created_at < clock_timestamp() - interval '1 day'
    """
    change(query, key)
