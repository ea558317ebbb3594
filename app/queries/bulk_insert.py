"""Inserting thousands of rows into a table whose key some of them may meet already."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from psycopg import errors

from app.queries import as_columns, driver_cursor


class Table(NamedTuple):
    """What is inserted into."""

    name: str
    #: The columns that are given, and their PostgreSQL types.
    columns: dict[str, str]
    #: The column that tells the rows of one insert apart: the line each comes from.
    line: str


def insert_missing(into: Table, rows: Collection[tuple[Any, ...]]) -> Collection[int]:
    """Insert those of ``rows``, at least one and in the order of the key, whose key does not exist yet; their lines.

    What another transaction is inserting at this moment is waited for, in the order of the key.
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
    """Insert all of ``rows``, or none if one of them exists; whether it did."""
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
