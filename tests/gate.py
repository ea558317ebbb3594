"""Stops the workers between two chunks, so that a running import can be inspected, or harmed, for any time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.processes import wait_until


class Gate:
    """A lock on the table of listings, at which every worker with rows to write waits. Reading is not blocked."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection = psycopg.connect(database_url)
        self._observer = psycopg.connect(database_url, autocommit=True)

    def close(self, *, mode: str = "share") -> None:
        """Block all writes, or with ``access exclusive`` reading as well. Returns when those in progress have ended."""
        self._connection.execute(f"lock table listings in {mode} mode")

    def open(self) -> None:
        """Allow writes again."""
        self._connection.rollback()

    def step(self) -> None:
        """Let every worker write the chunk that it waits with, and hold all of them again."""
        self.wait_for(1)
        # Locks are granted in the order in which they are asked for: what has waited goes first, and once, because the
        # next lock is asked for before this one is released.
        before, self._connection = self._connection, psycopg.connect(self._database_url)
        closing = threading.Thread(target=self.close)
        closing.start()
        wait_until(lambda: self._waits(self._connection.info.backend_pid))
        before.close()
        closing.join()

    def wait_for(self, sessions: int) -> None:
        """Wait until this many sessions wait for a lock, at the gate or behind a session that waits there."""
        wait_until(lambda: self._count_waiting() >= sessions)

    @contextmanager
    def opened_behind(self, sessions: int) -> Iterator[None]:
        """Open the gate as soon as this many sessions wait for a lock, one of them that of the calling thread."""

        def open_it() -> None:
            try:
                self.wait_for(sessions)
            finally:
                self.open()

        thread = threading.Thread(target=open_it)
        thread.start()
        yield
        thread.join()

    def dispose(self) -> None:
        """Open the gate permanently."""
        self._connection.close()
        self._observer.close()

    def _waits(self, process: int) -> bool:
        query = "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
        return self._observer.execute(query, [process]).fetchone() is not None

    def _count_waiting(self) -> int:
        counted = self._observer.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).fetchone()
        assert counted is not None
        return int(counted[0])
