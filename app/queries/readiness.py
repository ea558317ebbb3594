"""Whether the database can do what Sluice needs: it is migrated, it takes writes, and its disk has room."""

from psycopg import errors

from app.extensions import db
from app.queries import execute, fetch_one, fetch_value

#: Numbers that PostgreSQL writes to its disk when it may not hold them in 64 kB of memory: about 300 kB.
_NUMBERS = 20_000


def ask() -> None:
    """Raise what the database raises, unless it is ready. Ends the session's transaction."""
    try:
        # The schema is asked for, not only the server: before the migrations nothing is ready.
        query = "select cast(current_setting('transaction_read_only') as boolean) as is_read_only from reconciler"
        if fetch_one(query).is_read_only:
            raise errors.ReadOnlySqlTransaction("The database is read-only.")
        # A temporary file takes room as any other does, and leaves nothing behind: no row, no lock, no log.
        execute("set local work_mem = '64kB'")
        fetch_value("select count(*) from generate_series(1, %(numbers)s)", numbers=_NUMBERS)
    finally:
        db.session.rollback()
