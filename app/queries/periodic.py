"""Whose turn it is: when each periodic task was last begun, by whichever host."""

from collections.abc import Mapping

from app.queries import change, execute, fetch_values, older_than


def find_due(intervals: Mapping[str, float]) -> set[str]:
    """The names of the tasks that were last begun longer ago than their interval, in seconds, or never."""
    query = f"""
        select task.name
        from unnest(cast(%(names)s as text[]), cast(%(seconds)s as float8[])) as task (name, every_seconds)
        left join periodic_tasks p on p.name = task.name
        where p.last_run_at is null or {older_than("p.last_run_at", "task.every_seconds")}
    """
    return {*fetch_values(query, names=[*intervals], seconds=[*intervals.values()])}


def take_turn(name: str, *, every_seconds: float) -> bool:
    """Note that a task begins now; false where another host has been faster."""
    query = f"""
        insert into periodic_tasks as p (name, last_run_at) values (%(name)s, clock_timestamp())
        on conflict (name) do update set last_run_at = clock_timestamp()
        where p.last_run_at is null or {older_than("p.last_run_at", "%(every_seconds)s")}
    """
    return change(query, name=name, every_seconds=every_seconds)


def let_be_due(name: str) -> None:
    """Let a task be due again at once."""
    execute("update periodic_tasks set last_run_at = null where name = %(name)s", name=name)
