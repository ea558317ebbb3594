"""The row whose lock makes one host at a time the one that repairs."""

from __future__ import annotations

from sqlalchemy import Connection, text

from app.queries import older_than


def try_lock(connection: Connection, *, rest_seconds: float) -> bool | None:
    """Lock the row for the transaction of ``connection``; None when somebody else holds it.

    The answer tells whether the last sweep is longer ago than ``rest_seconds``.
    """
    row = connection.execute(
        text(
            f"""
            select coalesce({older_than("last_run_at", ":rest_seconds")}, true)
            from reconciler where id = 1
            for update skip locked
            """
        ),
        {"rest_seconds": rest_seconds},
    ).one_or_none()
    return None if row is None else bool(row[0])


def take_turn_to_clean(connection: Connection, *, every_seconds: float) -> bool:
    """Whether it is time to clean the storage again; if so, it is noted as done."""
    due = connection.execute(
        text(
            f"""
            update reconciler set last_clean_at = clock_timestamp()
            where id = 1 and coalesce({older_than("last_clean_at", ":every_seconds")}, true)
            """
        ),
        {"every_seconds": every_seconds},
    )
    return due.rowcount == 1


def mark_run(connection: Connection) -> None:
    """Note that a sweep has been made."""
    connection.execute(text("update reconciler set last_run_at = clock_timestamp() where id = 1"))
