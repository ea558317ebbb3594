"""Holds the workers still between two chunks, so that an import on its way can be looked at for as long as it takes."""

from __future__ import annotations

import psycopg

from tests.processes import wait_until


class Gate:
    """A lock on the table of listings, behind which every worker waits that has rows to write. Reading goes on."""

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(database_url)
        self._observer = psycopg.connect(database_url, autocommit=True)

    def close(self) -> None:
        """Let nobody write any more; returns when those that do are done."""
        self._connection.execute("lock table listings in share mode")

    def open(self) -> None:
        """Let everybody go on."""
        self._connection.rollback()

    def step(self) -> None:
        """Let every worker write the chunk that it waits with, and hold all of them again."""
        self.wait_for(1)
        self.open()
        # Locks are granted in the order in which they are asked for: what has waited goes first, and once.
        self.close()

    def wait_for(self, sessions: int) -> None:
        """Wait until so many sessions wait for a lock, at the gate or for somebody who stands there."""
        wait_until(lambda: self._count_waiting() >= sessions)

    def dispose(self) -> None:
        """Open the gate for good."""
        self._connection.close()
        self._observer.close()

    def _count_waiting(self) -> int:
        counted = self._observer.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchone()
        assert counted is not None
        return int(counted[0])
