"""How Alembic reaches the database, and how migrations are kept from hanging a running site."""

from alembic import context
from flask import current_app
from sqlalchemy import text

#: Taken for the time of all migrations, so that several hosts may start at once; the number has no other meaning.
ADVISORY_LOCK = 7_583_101_145

extension = current_app.extensions["migrate"]
metadata = extension.db.metadata

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with extension.db.engine.connect() as connection:
        # Out of the pool: the lock and the timeout are the session's, and end with it.
        connection.detach()
        connection.execute(text(f"select pg_advisory_lock({ADVISORY_LOCK})"))
        # A migration that cannot have its lock gives up, instead of letting every request queue behind it.
        connection.execute(text("set lock_timeout = '4s'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            transaction_per_migration=True,
            **extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
