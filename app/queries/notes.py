"""What the chunks of an import note for each other while it lasts, and how it is forgotten afterwards."""

from __future__ import annotations

from sqlalchemy import text

from app.extensions import db
from app.queries import ImportKey, driver_cursor

#: Rows that are deleted in one transaction.
_DELETED_AT_ONCE = 50_000

_TABLES = ("claims", "left_alone")


def find_left_over() -> list[ImportKey]:
    """The imports that are over and of which there are notes all the same."""
    noted = " union all ".join(
        f"select from {table} n where n.seller_id = i.seller_id and n.import_id = i.id" for table in _TABLES
    )
    found = db.session.execute(
        text(f"select i.seller_id, i.id from imports i where i.finished_at is not null and exists ({noted})")
    )
    return [ImportKey(*row) for row in found]


def delete_some(key: ImportKey) -> bool:
    """Delete as many notes of an import as one transaction should; whether there were any."""
    deleted = 0
    with driver_cursor() as cursor:
        for table in _TABLES:
            cursor.execute(
                f"""
                delete from {table} where ctid = any(array(
                    select ctid from {table} where seller_id = %s and import_id = %s limit %s))
                """,
                (*key, _DELETED_AT_ONCE),
            )
            deleted += cursor.rowcount
    return deleted > 0
