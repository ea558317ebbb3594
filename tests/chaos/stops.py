"""The stops: after Terminate and while PAUSED no row is written, whatever else is pressed at the same time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from app.extensions import db
from app.imports import commands
from app.imports.errors import TransitionRefused
from tests.chaos.bench import Bench, Tally
from tests.chaos.files import small_file
from tests.chaos.ledger import Outcome, Shop, Started, compare, outcome
from tests.conftest import make_seller
from tests.factories import look, start

_FILE = small_file()
#: Number of concurrent stops, each of a separate import, so that the workers are never idle.
_AT_ONCE = 4
_LOOKS = 5
_LOOK_EVERY_SECONDS = 0.07


def _snapshot(started: Started) -> tuple[object, ...]:
    """All that a worker could change."""
    db.session.rollback()
    ids = {"seller": started.seller_id, "import": started.id}
    count = "select count(*) from {} where seller_id = :seller and {} = :import"
    listings = db.session.scalar(db.text(count.format("listings", "created_import_id")), ids)
    errors = db.session.scalar(db.text(count.format("row_errors", "import_id")), ids)
    batches = db.session.execute(
        db.text('select number, status, "cursor", created, failed from batches where import_id = :import order by 1'),
        {"import": started.id},
    ).all()
    status = db.session.scalar(db.text("select status from imports where id = :import"), {"import": started.id})
    db.session.rollback()
    return status, listings, errors, tuple(map(tuple, batches))


def _must_stand_still(started: Started, tally: Tally, what: str) -> None:
    first = _snapshot(started)
    for _ in range(_LOOKS - 1):
        time.sleep(_LOOK_EVERY_SECONDS)
        if (now := _snapshot(started)) != first:
            tally.doubled += max(1, now[1] + now[2] - first[1] - first[2])
            tally.troubles.append(f"rows were written after {what}: {first[:3]} became {now[:3]}")
            return


class Stops:
    """Many stops of one kind."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        bench.home.workers()
        started = self._upload("quiet")
        bench.wait_for_end(started)
        self._quiet: Outcome = outcome(started, _FILE)
        # From here on, other threads do everything; a transaction of this one would only grow too old.
        db.session.remove()
        self._number = 0
        self._lock = threading.Lock()

    def run(self, name: str, times: int, chance: random.Random) -> Tally:
        """Do the stop ``name`` this many times, several at once."""
        tally = Tally()
        left = iter(range(times))
        threads = [
            threading.Thread(target=self._loop, args=(getattr(self, name), left, tally, chance.random()))
            for _ in range(_AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return tally

    def _loop(
        self, stop: Callable[[Started, Tally, random.Random], None], left: Iterator[int], tally: Tally, seed: float
    ) -> None:
        chance = random.Random(seed)
        for _ in _taken(left, self._lock):
            mine = Tally()
            with self._bench.home.app.app_context():
                try:
                    started = self._upload(f"{chance.random()}")
                    time.sleep(chance.uniform(0, 0.9))
                    stop(started, mine, chance)
                except Exception as error:  # noqa: BLE001 - a trial that breaks is a trial that failed
                    mine.troubles.append(f"{type(error).__name__}: {error}")
                finally:
                    db.session.remove()
            with self._lock:
                tally.lost += mine.lost
                tally.doubled += mine.doubled
                tally.troubles += mine.troubles
                tally.notes += mine.notes

    def _upload(self, name: str) -> Started:
        seller = make_seller(f"stops-{name}@example.com")
        return Started.of(start(Shop(seller.id, ""), _FILE.data))

    def terminate(self, started: Started, tally: Tally, chance: random.Random) -> None:
        """Terminate, and check that nothing changes."""
        if not self._press(commands.terminate, started):
            tally.notes.append("over before")
        _must_stand_still(started, tally, "Terminate")
        self._bench.check_books(started, tally)

    def pause(self, started: Started, tally: Tally, chance: random.Random) -> None:
        """Pause, check that nothing changes, resume, and compare the outcome with a run without faults."""
        if self._press(commands.pause, started):
            self._settled(started, tally)
            if look(started).status == "PAUSED":
                _must_stand_still(started, tally, "PAUSED")
                self._bench.check_books(started, tally)
                self._press(commands.resume, started)
        else:
            tally.notes.append("over before")
        self._finish(started, tally)

    def together(self, started: Started, tally: Tally, chance: random.Random) -> None:
        """Press all buttons at once in several threads for some rounds, then let the import end."""
        for _ in range(3):
            buttons = [commands.pause, commands.resume, commands.pause, commands.resume]
            # Not in every round, because nothing comes after it.
            buttons += [commands.terminate] * (chance.random() < 0.3)
            barrier = threading.Barrier(len(buttons))
            threads = [
                threading.Thread(target=self._press_from_aside, args=(button, started, barrier, tally))
                for button in buttons
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self._settled(started, tally)
        if look(started).status != "RUNNING":
            _must_stand_still(started, tally, "the buttons")
            self._bench.check_books(started, tally)
        self._finish(started, tally)

    def _finish(self, started: Started, tally: Tally) -> None:
        if look(started).status == "PAUSED":
            self._press(commands.resume, started)
        if not self._bench.wait_for_end(started, 60):
            tally.troubles.append(f"the import does not end: {_snapshot(started)}")
            return
        if look(started).status == "TERMINATED":
            self._bench.check_books(started, tally)
            return
        difference = compare(outcome(started, _FILE), self._quiet)
        tally.lost += difference.lost
        tally.doubled += difference.doubled
        tally.troubles += difference.troubles
        self._bench.check_books(started, tally)

    def _settled(self, started: Started, tally: Tally) -> None:
        ends_at = time.monotonic() + 30
        while look(started).is_pausing:
            if time.monotonic() > ends_at:
                tally.troubles.append(f"pausing does not end: {_snapshot(started)}")
                return
            time.sleep(0.02)

    def _press(self, button: Callable[..., None], started: Started) -> bool:
        try:
            button(started.seller_id, started.public_id)
        except TransitionRefused:
            return False
        finally:
            db.session.rollback()
        return True

    def _press_from_aside(
        self, button: Callable[..., None], started: Started, barrier: threading.Barrier, tally: Tally
    ) -> None:
        with self._bench.home.app.app_context():
            try:
                with suppress(threading.BrokenBarrierError):
                    barrier.wait(10)
                self._press(button, started)
            except Exception as error:  # noqa: BLE001 - whatever a button raises but a refusal is a fault
                with self._lock:
                    tally.troubles.append(f"{button.__name__}: {type(error).__name__}: {error}")
            finally:
                db.session.remove()


def _taken(left: Iterator[int], lock: threading.Lock) -> Iterator[int]:
    while True:
        with lock:
            number = next(left, None)
        if number is None:
            return
        yield number


KINDS = (
    ("terminate", "Terminate under full load", 150),
    ("pause", "Pause and Resume under full load", 80),
    ("together", "Pause, Resume and Terminate pressed at once", 40),
)
