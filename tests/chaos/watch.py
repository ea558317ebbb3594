"""Observes the batches of an import, and measures how long they make no progress after a fault."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import NamedTuple

import psycopg

from tests.chaos.home import Home
from tests.chaos.ledger import Started

_LOOK_SECONDS = 0.05
_OVER = {"COMPLETED", "FAILED", "TERMINATED"}


class Stand(NamedTuple):
    """The state of a batch."""

    status: str
    attempt: int
    cursor: int
    end: int
    start: int


@dataclass
class Mark:
    """A fault that has just ended, and the batches without progress since."""

    what: str
    at: float
    #: Their cursors at that time. If none was running, any progress of the import counts.
    cursors: dict[int, int]
    progress: int
    seconds: float | None = None


class Watch(threading.Thread):
    """Polls the batches of one import many times a second."""

    def __init__(self, home: Home, started: Started) -> None:
        super().__init__(daemon=True)
        self._home = home
        self._started_import = started
        self._ends = threading.Event()
        self._lock = threading.Lock()
        self.marks: list[Mark] = []
        self.batches: dict[int, Stand] = {}

    def __enter__(self) -> Watch:
        self.batches = self.look()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self.join(10)

    def look(self, connection: psycopg.Connection[tuple] | None = None) -> dict[int, Stand]:
        """The state of the batches now."""
        if connection is None:
            with self._home.connect() as own:
                return self.look(own)
        rows = connection.execute(
            'select number, status, attempt, "cursor", end_byte, start_byte from batches where import_id = %s',
            (self._started_import.id,),
        )
        return {row[0]: Stand(*row[1:]) for row in rows}

    @property
    def share(self) -> float:
        """The processed share of the file, from 0 to 1."""
        stands = list(self.batches.values())
        return sum(one.cursor - one.start for one in stands) / sum(one.end - one.start for one in stands)

    @property
    def is_over(self) -> bool:
        """Whether every batch is over."""
        return all(one.status in _OVER for one in self.batches.values())

    def mark(self, what: str) -> None:
        """A fault has ended now: measure until all running batches have made progress."""
        at = time.monotonic()
        batches = self.look()
        if all(one.status in _OVER for one in batches.values()):
            return
        cursors = {number: one.cursor for number, one in batches.items() if one.status == "RUNNING"}
        progress = -1 if cursors else _progress(batches)
        with self._lock:
            self.marks.append(Mark(what, at, cursors, progress))

    def run(self) -> None:
        """Poll until asked to stop."""
        while not self._ends.is_set():
            try:
                with self._home.connect() as connection:
                    while not self._ends.wait(_LOOK_SECONDS):
                        self._note(self.look(connection))
            except psycopg.Error:
                time.sleep(_LOOK_SECONDS)

    def _note(self, batches: dict[int, Stand]) -> None:
        self.batches = batches
        now = time.monotonic()
        with self._lock:
            for mark in self.marks:
                if mark.seconds is None:
                    for number, cursor in list(mark.cursors.items()):
                        stand = batches[number]
                        if stand.cursor > cursor or stand.status in _OVER:
                            del mark.cursors[number]
                    if not mark.cursors and _progress(batches) > mark.progress:
                        mark.seconds = now - mark.at


def _progress(batches: dict[int, Stand]) -> int:
    return sum(one.cursor for one in batches.values())
