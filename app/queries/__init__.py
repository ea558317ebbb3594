"""All SQL, set-wise. Nothing here commits: the caller decides what belongs together in a transaction.

A statement names the seller of each of ``models.BY_SELLER``, the tables that grow with rows, by a parameter: not by
equality with another table's seller, and never by a ctid alone, which is unique to a table, and would be to a part of
it if the table were divided. Between these tables and the ledger no sub-select refers to the statement around it: the
two may lie on different machines. How many rows an ``INSERT … ON CONFLICT`` into one of them has written is counted in
what it returns: a cluster reports the number of those that it was given.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

from psycopg import Connection, Cursor
from sqlalchemy import CursorResult, Row

from app.extensions import db
from app.models import Import

_Row = TypeVar("_Row")

#: The application_name of a session that writes a chunk; the reconciler ends such sessions when they take too long.
CHUNK = "sluice chunk"

#: Rows of a table that are deleted in one transaction.
_DELETED_AT_ONCE = 20_000


class ImportKey(NamedTuple):
    """The primary key of an import."""

    seller_id: int
    import_id: int

    @classmethod
    def of(cls, one: Import) -> Self:
        """The key of ``one``."""
        return cls(one.seller_id, one.id)


class BatchKey(NamedTuple):
    """The primary key of a batch."""

    seller_id: int
    import_id: int
    number: int

    @property
    def of_import(self) -> ImportKey:
        """The import it belongs to."""
        return ImportKey(self.seller_id, self.import_id)


class ConversionKey(NamedTuple):
    """The primary key of a conversion."""

    seller_id: int
    conversion_id: int


def older_than(time: str, seconds: str) -> str:
    """SQL: whether ``time`` is more than ``seconds`` ago by the database's clock.

    A time equally far in the future is old too: no process records a future time, so the clock has been set back since,
    and waiting until it catches up could take very long.
    """
    return (
        f"{time} not between clock_timestamp() - make_interval(secs => {seconds}) "
        f"and clock_timestamp() + make_interval(secs => {seconds})"
    )


def begin_repeatable_read() -> None:
    """Begin a transaction all of whose queries see the database as it is at its first one (REPEATABLE READ).

    It is meant for reading only. A transaction that was begun before is rolled back, unless it is such a one.
    """
    level = "REPEATABLE READ"
    if db.session().in_transaction():
        if db.session.connection().get_execution_options().get("isolation_level") == level:
            return
        db.session.rollback()
    db.session.connection(execution_options={"isolation_level": level})


def without_transaction(pages: Iterable[Iterable[_Row]]) -> Iterator[_Row]:
    """The rows of ``pages``, for a client that may be slow. For reading only.

    While the client is slow, neither a transaction, which the database would end after a few idle seconds, nor a
    connection is held.
    """
    for page in pages:
        db.session.rollback()
        yield from page
    db.session.rollback()


def delete_some(tables: Collection[str], key: ImportKey) -> bool:
    """Delete a bounded number of an import's rows from each of ``tables``. Returns whether there were any."""
    deleted = 0
    for table in tables:
        query = f"""
            delete from {table} where seller_id = %(seller_id)s and ctid = any(array(
                select ctid from {table} where seller_id = %(seller_id)s and import_id = %(import_id)s
                limit %(limit)s))
        """
        deleted += execute(query, key, limit=_DELETED_AT_ONCE)
    return deleted > 0


def as_columns(rows: Collection[tuple[Any, ...]]) -> list[list[Any]]:
    """``rows``, at least one, as one array a column, for ``unnest``."""
    return [list(column) for column in zip(*rows, strict=True)]


def each(alias: str, names: Iterable[str]) -> str:
    """SQL: these columns of the table ``alias``, joined by commas."""
    return ", ".join(f"{alias}.{name}" for name in names)


def driver_cursor() -> Cursor[tuple[Any, ...]]:
    """A psycopg cursor inside the session's transaction, for COPY and for arrays of thousands of values."""
    connection: Connection[tuple[Any, ...]] = db.session.connection().connection.driver_connection  # type: ignore[assignment]
    return connection.cursor()


def commit_together() -> None:
    """Force two-phase commit on a database cluster, so that the ledger and a seller's rows are committed or neither is.

    Citus uses it only if a transaction wrote to two nodes other than the ledger's, or ran a COPY; otherwise a crash
    could leave the listings committed and the ledger not. Hence this COPY of no rows.
    """
    with driver_cursor().copy("copy claims (seller_id) from stdin"):
        pass


#: What has parameters of a statement: a key as its fields, or a mapping.
Parameters: TypeAlias = "NamedTuple | Mapping[str, Any] | None"


def execute(query: str, of: Parameters = None, /, **values: Any) -> int:
    """Execute a statement, whose parameters are ``of`` a key or a mapping, and ``values``: in it they are ``%(name)s``.

    Returns the number of rows that it wrote.
    """
    return _run(query, of, values).rowcount


def change(query: str, of: Parameters = None, /, **values: Any) -> bool:
    """Execute a statement. Returns whether it wrote any row."""
    return execute(query, of, **values) > 0


def fetch(query: str, of: Parameters = None, /, **values: Any) -> Sequence[Row[Any]]:
    """The rows of a statement, with the columns as attributes."""
    return _run(query, of, values).all()


def fetch_as(kind: Callable[..., _Row], query: str, of: Parameters = None, /, **values: Any) -> list[_Row]:
    """What ``kind`` makes of each row of a statement. It is given the columns by name."""
    return [kind(**row._mapping) for row in _run(query, of, values)]


def fetch_one(query: str, of: Parameters = None, /, **values: Any) -> Row[Any]:
    """The only row of a statement."""
    return _run(query, of, values).one()


def fetch_first(query: str, of: Parameters = None, /, **values: Any) -> tuple[Any, ...] | None:
    """The first row of a statement that stops soon because it reads in the order of an index; None if there is none.

    It is planned anew each time: a plan from when the table was small, which reads and sorts all of it, would be kept.
    """
    return driver_cursor().execute(query.encode(), as_mapping(of, values), prepare=False).fetchone()


def fetch_values(query: str, of: Parameters = None, /, **values: Any) -> list[Any]:
    """The values of the only column of a statement."""
    return [*_run(query, of, values).scalars()]


def fetch_value(query: str, of: Parameters = None, /, **values: Any) -> Any:
    """The only value of a statement; None where it finds no row."""
    return _run(query, of, values).scalar()


def _run(query: str, of: Parameters, values: Mapping[str, Any]) -> CursorResult[Any]:
    return db.session.connection().exec_driver_sql(query, as_mapping(of, values) or None)


def as_mapping(of: Parameters, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a statement by their names."""
    return {**(of._asdict() if isinstance(of, tuple) else of or {}), **values}
