"""How Alembic reaches the database, and how migrations are kept from hanging a running site.

All that is set or locked here lasts for a transaction, so that nothing stays on a session that a connection pooler
hands to the next client.
"""

import time
from contextlib import contextmanager

from alembic import context
from flask import current_app
from psycopg import errors
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from app.cli import NotPossibleNow, exiting_when_unavailable
from app.operators import cluster

#: Taken for the time of all migrations, so that several hosts may start at once; the number has no other meaning.
ADVISORY_LOCK = 7_583_101_145
#: A migration that cannot have its lock gives up, instead of letting every request queue behind it.
LOCK_TIMEOUT = "4s"
#: How often a migration is tried that meets with the locks of processes at work, and the seconds between.
TRIES, PAUSE_SECONDS = 5, 1.0
#: How long another host may take for its migrations.
OTHERS_TIMEOUT = "15min"

extension = current_app.extensions["migrate"]


def migrate_alone():
    """Migrate while no other process does."""
    with extension.db.engine.connect() as keeper, keeper.begin():
        # The transaction sits idle while another connection migrates; it has no snapshot and hinders nothing.
        keeper.execute(text("set local idle_in_transaction_session_timeout = 0"))
        keeper.execute(text(f"set local lock_timeout = '{OTHERS_TIMEOUT}'"))
        keeper.execute(text(f"select pg_advisory_xact_lock({ADVISORY_LOCK})"))
        migrate_patiently()
        cluster.distribute_new()


def migrate_patiently():
    """Migrate, each migration in a transaction of its own. Raises NotPossibleNow when other processes do not let it."""
    for left in reversed(range(TRIES)):
        try:
            with connected() as connection:
                migrate(connection)
            with connected() as connection:
                validate_constraints(connection)
            return
        except OperationalError as error:
            if not isinstance(error.orig, errors.DeadlockDetected | errors.LockNotAvailable):
                raise
            if not left:
                raise NotPossibleNow(
                    "The database cannot be migrated while processes of Sluice are at work on it. Migrations before "
                    "this one are done. Stop the workers, or if that is not enough the web processes too, and run "
                    "`db upgrade` again."
                ) from error
        time.sleep(PAUSE_SECONDS)


def migrate(connection):
    """Do what the command asks for."""
    context.configure(
        connection=connection,
        target_metadata=extension.db.metadata,
        transaction_per_migration=True,
        **extension.configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


def validate_constraints(connection):
    """Look whether rows that were there before a constraint keep it, each constraint in a transaction of its own.

    Migrations add constraints ``not valid``, which takes an exclusive lock for a moment. The long look at all rows
    comes here, and rows can be read and written meanwhile.
    """
    found = connection.execute(
        text(
            """
            select conrelid::regclass::text, quote_ident(conname) from pg_constraint
            where not convalidated and connamespace = current_schema()::regnamespace order by 1, 2
            """
        )
    ).all()
    connection.commit()
    for table, constraint in found:
        connection.execute(text(f"alter table {table} validate constraint {constraint}"))
        connection.commit()


@contextmanager
def connected():
    """A connection whose transactions are bound."""
    with extension.db.engine.connect() as connection:
        event.listen(connection, "begin", set_lock_timeout)
        yield connection


def set_lock_timeout(connection):
    """Bind one transaction."""
    connection.connection.cursor().execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=extension.db.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with exiting_when_unavailable():
        migrate_alone()
