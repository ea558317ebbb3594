"""All SQL, set-wise. Nothing here commits: whoever calls decides what belongs together in a transaction."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import Connection, Cursor

from app.extensions import db


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


def driver_cursor() -> Cursor[tuple[Any, ...]]:
    """A psycopg cursor inside the session's transaction, for COPY and for statements over thousands of rows."""
    connection: Connection[tuple[Any, ...]] = db.session.connection().connection.driver_connection  # type: ignore[assignment]
    return connection.cursor()
