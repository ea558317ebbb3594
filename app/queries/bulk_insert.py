"""Inserts thousands of rows into a table in which some of their keys may already exist."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from psycopg import errors

from app.queries import as_columns, driver_cursor


class Table(NamedTuple):
    """The table to insert into."""

    name: str
    #: The columns to insert, and their PostgreSQL types.
    columns: dict[str, str]
    #: The column that identifies a row within one insert: its line.
    line: str


def insert_missing(into: Table, rows: Collection[tuple[Any, ...]]) -> Collection[int]:
    """Insert those of ``rows`` (at least one, ordered by key) whose key does not exist. Returns their lines.

    Waits for keys that another transaction is inserting, in the order of the key.
    """
    if _insert_plainly(into, rows):
        at = list(into.columns).index(into.line)
        return [row[at] for row in rows]
    arrays = ", ".join(f"%b::{kind}[]" for kind in into.columns.values())
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            insert into {into.name} ({", ".join(into.columns)})
            select * from unnest({arrays})
            on conflict do nothing
            returning {into.line}
            """,
            as_columns(rows),
        )
        return {line for (line,) in cursor.fetchall()}


def _insert_plainly(into: Table, rows: Collection[tuple[Any, ...]]) -> bool:
    """Insert all of ``rows``, or none if a key exists. Returns whether it inserted them."""
    with driver_cursor() as cursor:
        cursor.execute("savepoint inserting")
        try:
            with cursor.copy(f"copy {into.name} ({', '.join(into.columns)}) from stdin (format binary)") as copy:
                copy.set_types(list(into.columns.values()))
                for row in rows:
                    copy.write_row(row)
        except errors.UniqueViolation:
            cursor.execute("rollback to savepoint inserting")
            return False
        cursor.execute("release savepoint inserting")
        return True
