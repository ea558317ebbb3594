"""Whether the database can do what Sluice needs: it is migrated, it takes writes, and its disk has room."""

from __future__ import annotations

from psycopg import errors
from sqlalchemy import text

from app.extensions import db

#: Numbers that PostgreSQL writes to its disk when it may not hold them in 64 kB of memory: about 300 kB.
_NUMBERS = 20_000


def ask() -> None:
    """Raise what the database raises, unless it is ready. Ends the session's transaction."""
    try:
        # The schema is asked for, not only the server: before the migrations nothing is ready.
        is_read_only = db.session.execute(
            text("select cast(current_setting('transaction_read_only') as boolean) from reconciler")
        ).scalar_one()
        if is_read_only:
            raise errors.ReadOnlySqlTransaction("The database is read-only.")
        # A temporary file takes room as any other does, and leaves nothing behind: no row, no lock, no log.
        db.session.execute(text("set local work_mem = '64kB'"))
        db.session.execute(text("select count(*) from generate_series(1, :numbers)"), {"numbers": _NUMBERS})
    finally:
        db.session.rollback()
