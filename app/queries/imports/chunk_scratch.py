"""The notes that the chunks of an import leave for each other, and their deletion afterwards."""

from app.queries import ImportKey, delete_some, fetch_as, fetch_value
from app.queries.status_sets import GIVEN_UP, IMPORT_FAILED, KIND_CHECK

_TABLES = ("claims", "left_alone")

#: The import ``i`` cannot run again: an operator could retry a batch that was given up, and its chunks would need the
#: notes of the others. A check that is over never runs again.
_OVER_FOR_GOOD = f"""
    i.finished_at is not null and (i.kind = {KIND_CHECK} or i.status <> {IMPORT_FAILED} or not exists (
        select 1 from batches b
        where b.seller_id = i.seller_id and b.import_id = i.id and {GIVEN_UP}))
"""


def are_due(key: ImportKey) -> bool:
    """Whether the notes of an import are no longer needed."""
    query = f"""
        select exists (
            select 1 from imports i where i.seller_id = %(seller_id)s and i.id = %(import_id)s and {_OVER_FOR_GOOD})
    """
    return bool(fetch_value(query, key))


def find_left_over() -> list[ImportKey]:
    """The imports that cannot run again but still have notes."""
    noted = " union ".join(f"select seller_id, import_id from {table}" for table in _TABLES)
    query = f"""
        select i.seller_id, i.id as import_id from imports i
        where {_OVER_FOR_GOOD} and (i.seller_id, i.id) in ({noted})
    """
    return fetch_as(ImportKey, query)


def forget_some(key: ImportKey) -> bool:
    """Delete as many notes of an import as one transaction should. Returns whether there were any."""
    return delete_some(_TABLES, key)
