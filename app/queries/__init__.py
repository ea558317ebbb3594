"""All SQL, set-wise. Nothing here commits: whoever calls decides what belongs together in a transaction.

What a statement reads or changes of the tables that grow with rows (listings, row_errors, error_groups, left_alone,
claims, foreseen_changes) it names by its seller, as a parameter, and never by a ctid alone: that is unique to a table,
and would be to a part of it if the table were divided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from psycopg import Connection, Cursor

from app.extensions import db

_Row = TypeVar("_Row")

#: What a session is called while it writes a chunk, so that it can be told from those that may take their time.
CHUNK = "sluice chunk"

#: Rows of a table that are deleted in one transaction.
_DELETED_AT_ONCE = 20_000


class ImportKey(NamedTuple):
    """The primary key of an import."""

    seller_id: int
    import_id: int


class BatchKey(NamedTuple):
    """The primary key of a batch."""

    seller_id: int
    import_id: int
    number: int

    @property
    def of_import(self) -> ImportKey:
        """The import it belongs to."""
        return ImportKey(self.seller_id, self.import_id)


def older_than(time: str, seconds: str) -> str:
    """SQL for: it is longer than ``seconds`` since ``time`` by the database's clock.

    A time that lies as far ahead is old too: nobody notes a time to come, so the clock has been set back since, and to
    wait until it catches up would be to stand still for as long.
    """
    return (
        f"{time} not between clock_timestamp() - make_interval(secs => {seconds}) "
        f"and clock_timestamp() + make_interval(secs => {seconds})"
    )


def begin_snapshot() -> None:
    """Begin a transaction in which everything is seen as it is at its first look; for those who only read.

    Whatever was begun before is rolled back.
    """
    db.session.rollback()
    db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def without_transaction(pages: Iterable[Iterable[_Row]]) -> Iterator[_Row]:
    """The rows of ``pages``, for a reader who may be slow; for those who only read.

    While that takes its time, the reading holds neither a transaction, which the database would end after a few idle
    seconds, nor a connection.
    """
    for page in pages:
        db.session.rollback()
        yield from page
    db.session.rollback()


def delete_some(tables: Collection[str], key: ImportKey) -> bool:
    """Delete as many rows of an import as one transaction should, from each of ``tables``; whether there were any."""
    deleted = 0
    with driver_cursor() as cursor:
        for table in tables:
            cursor.execute(
                f"""
                delete from {table} where seller_id = %s and ctid = any(array(
                    select ctid from {table} where seller_id = %s and import_id = %s limit %s))
                """,
                (key.seller_id, *key, _DELETED_AT_ONCE),
            )
            deleted += cursor.rowcount
    return deleted > 0


def as_columns(rows: Collection[tuple[Any, ...]]) -> list[list[Any]]:
    """``rows``, at least one, as one array a column: what ``unnest`` takes apart again."""
    return [list(column) for column in zip(*rows, strict=True)]


def driver_cursor() -> Cursor[tuple[Any, ...]]:
    """A psycopg cursor inside the session's transaction, for COPY and for statements over thousands of rows."""
    connection: Connection[tuple[Any, ...]] = db.session.connection().connection.driver_connection  # type: ignore[assignment]
    return connection.cursor()
