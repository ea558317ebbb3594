"""Stops the workers between two chunks, so that a running import can be inspected for any time."""

from __future__ import annotations

import psycopg

from tests.processes import wait_until


class Gate:
    """A lock on the table of listings, at which every worker with rows to write waits. Reading is not blocked."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url)
        self._observer = psycopg.connect(database_url, autocommit=True)

    def close(self) -> None:
        """Block all writes. Returns when those in progress have ended."""
        self._connection.execute("lock table listings in share mode")

    def open(self) -> None:
        """Allow writes again."""
        self._connection.rollback()

    def step(self) -> None:
        """Let every worker write the chunk that it waits with, and hold all of them again."""
        self.wait_for(1)
        self.open()
        # Locks are granted in the order in which they are asked for: what has waited goes first, and once.
        self.close()

    def wait_for(self, sessions: int) -> None:
        """Wait until this many sessions wait for a lock, at the gate or behind a session that waits there."""
        wait_until(lambda: self._count_waiting() >= sessions)

    def dispose(self) -> None:
        """Open the gate permanently."""
        self._connection.close()
        self._observer.close()

    def _count_waiting(self) -> int:
        counted = self._observer.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchone()
        assert counted is not None
        return int(counted[0])
