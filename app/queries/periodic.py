"""Whose turn it is: when each periodic task was last begun, by whichever host."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text

from app.extensions import db
from app.queries import older_than


def find_due(intervals: Mapping[str, float]) -> set[str]:
    """The names of the tasks that were last begun longer ago than their interval, in seconds, or never."""
    rows = db.session.execute(
        text(
            f"""
            select task.name
            from unnest(cast(:names as text[]), cast(:seconds as float8[])) as task (name, every_seconds)
            left join periodic_tasks p on p.name = task.name
            where p.last_run_at is null or {older_than("p.last_run_at", "task.every_seconds")}
            """
        ),
        {"names": [*intervals], "seconds": [*intervals.values()]},
    )
    return set(rows.scalars())


def take_turn(name: str, *, every_seconds: float) -> bool:
    """Note that a task begins now; false where another host has been faster."""
    taken = db.session.execute(
        text(
            f"""
            insert into periodic_tasks as p (name, last_run_at) values (:name, clock_timestamp())
            on conflict (name) do update set last_run_at = clock_timestamp()
            where p.last_run_at is null or {older_than("p.last_run_at", ":every_seconds")}
            returning 1
            """
        ),
        {"name": name, "every_seconds": every_seconds},
    )
    return taken.first() is not None


def let_be_due(name: str) -> None:
    """Let a task be due again at once."""
    db.session.execute(text("update periodic_tasks set last_run_at = null where name = :name"), {"name": name})
