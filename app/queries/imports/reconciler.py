"""The reconciler's own queries: the lock and the history of sweeps, and sessions of frozen workers."""

from sqlalchemy import Connection

from app.queries import CHUNK, fetch, older_than


def try_lock(connection: Connection, *, rest_seconds: float) -> bool | None:
    """Lock the row for the transaction of ``connection``; None if another sweep holds the lock.

    Returns whether the last sweep was more than ``rest_seconds`` ago.
    """
    query = f"""
        select coalesce({older_than("last_run_at", "%(rest_seconds)s")}, true) as is_due
        from reconciler where id = 1
        for update skip locked
    """
    row = connection.exec_driver_sql(query, {"rest_seconds": rest_seconds}).one_or_none()
    return None if row is None else bool(row.is_due)


def mark_run(connection: Connection) -> None:
    """Record a sweep."""
    connection.exec_driver_sql("update reconciler set last_run_at = clock_timestamp() where id = 1")


def count(connection: Connection, *, reclaimed: int, settled: int, lost: int, ended: int) -> None:
    """Add to the totals of repairs; ``connection`` holds the lock."""
    if not (reclaimed or settled or lost or ended):
        return
    query = """
        update reconciler set batches_reclaimed = batches_reclaimed + %(reclaimed)s,
            imports_settled = imports_settled + %(settled)s, jobs_lost = jobs_lost + %(lost)s,
            transactions_ended = transactions_ended + %(ended)s
        where id = 1
    """
    connection.exec_driver_sql(query, {"reclaimed": reclaimed, "settled": settled, "lost": lost, "ended": ended})


def note_dispatch(connection: Connection, *, trouble: str | None) -> None:
    """Record why jobs cannot be sent, or that they can; ``connection`` holds the lock."""
    query = """
        update reconciler set dispatch_trouble = %(trouble)s
        where id = 1 and dispatch_trouble is distinct from %(trouble)s
    """
    connection.exec_driver_sql(query, {"trouble": trouble})


def end_overdue_transactions(*, lease_seconds: float) -> int:
    """End the sessions of workers whose chunk takes longer than the lease. Returns their number.

    A worker that freezes during a COPY holds the lock on its batch, and none of PostgreSQL's own timeouts applies while
    it waits for data.
    """
    query = f"""
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = %(name)s and usename = current_user and datname = current_database()
          and pid <> pg_backend_pid()
          and {older_than("xact_start", "%(lease_seconds)s")}
    """
    return len(fetch(query, name=CHUNK, lease_seconds=lease_seconds))
