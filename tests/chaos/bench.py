"""Shared by all trials: the installation, the files with their expected outcomes, and the verdict."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

from app.extensions import db
from app.models import Import
from tests.chaos.files import ITEMS, File, starting_file, trial_file
from tests.chaos.home import Home
from tests.chaos.ledger import Outcome, Shop, Started, book_faults, compare, outcome
from tests.chaos.watch import Watch
from tests.conftest import make_seller
from tests.factories import look, make_items, start

#: An import that takes longer than this after any fault counts as never ending.
END_SECONDS = 150


@dataclass
class Tally:
    """The result of one trial."""

    kills: int = 0
    recoveries: list[float] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    troubles: list[str] = field(default_factory=list)
    #: Further events, for the reader.
    notes: list[str] = field(default_factory=list)
    skipped: str = ""


class Bench:
    """The installation and the files."""

    def __init__(self, home: Home, *, quick: bool, share: float = 1) -> None:
        self.home = home
        self.quick = quick
        self._sellers = 0
        self._template: int | None = None
        self.file = trial_file(share)
        make_items(ITEMS)
        template = self.new_seller()
        home.workers()
        with self.watching(self.upload(template, starting_file())) as (started, _):
            self.wait_for_end(started)
        self._template = template.id
        began = time.monotonic()
        seller = self.new_seller()
        started = self.upload(seller, self.file)
        self.wait_for_end(started)
        self.quiet_seconds = time.monotonic() - began
        self.quiet: Outcome = outcome(started, self.file)
        self.rows = started.total
        faults = list(book_faults(started))
        if faults:
            raise SystemExit(f"The quiet run is wrong already: {faults[:5]}")

    def new_seller(self, *, empty: bool = False) -> Shop:
        """A seller with the initial listings."""
        self._sellers += 1
        seller = make_seller(f"seller{self._sellers}@example.com")
        shop = Shop(seller.id, seller.email)
        if self._template is not None and not empty:
            db.session.execute(
                db.text(
                    """
                    insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, comment,
                                          notes, reference, created_import_id, created_line)
                    select :seller, item_id, condition, variants, price, quantity, hidden, comment,
                           notes, reference, 0, 0
                    from listings where seller_id = :template
                    """
                ),
                {"seller": shop.id, "template": self._template},
            )
            db.session.commit()
        return shop

    def upload(self, seller: Shop, file: File) -> Started:
        """Upload a file as the seller, from this process."""
        started = Started.of(start(seller, file.data))
        # No transaction of this process may block the trial.
        db.session.rollback()
        return started

    @contextmanager
    def watching(self, started: Started) -> Iterator[tuple[Started, Watch]]:
        """An import and its watch."""
        with Watch(self.home, started) as watch:
            yield started, watch

    def wait_for_end(self, started: Started, seconds: float = END_SECONDS) -> bool:
        """Wait until the import is over. Returns whether it is."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            if look(started).finished_at:
                return True
            time.sleep(0.1)
        return False

    def judge(
        self,
        started: Started,
        tally: Tally,
        watch: Watch | None = None,
        *,
        file: File | None = None,
        quiet: Outcome | None = None,
    ) -> Tally:
        """Wait for the end of an import, and compare its outcome with the run without faults."""
        if not self.wait_for_end(started):
            tally.troubles.append("the import does not end")
            tally.lost += look(started).not_processed
            return tally
        if watch:
            time.sleep(0.2)
            tally.recoveries += [mark.seconds for mark in watch.marks if mark.seconds is not None]
            tally.troubles += [f"{mark.what}: no recovery seen" for mark in watch.marks if mark.seconds is None]
        difference = compare(outcome(started, file or self.file), quiet or self.quiet)
        tally.lost += difference.lost
        tally.doubled += difference.doubled
        tally.troubles += difference.troubles
        self.check_books(started, tally)
        return tally

    def check_books(self, started: Started, tally: Tally) -> None:
        """Verify the ledger of an import that is not running."""
        faults = list(book_faults(started))
        tally.troubles += faults[:5]
        tally.doubled += sum("more than one listing" in fault or "both" in fault for fault in faults)
        tally.lost += sum("nothing came of it" in fault for fault in faults)

    def uploaded(self, seller: Shop) -> Started | None:
        """The last import of a seller, if there is one."""
        db.session.rollback()
        found = db.session.scalar(
            db.select(Import).where(Import.seller_id == seller.id).order_by(Import.id.desc()).limit(1)
        )
        return None if found is None else Started.of(found)


@dataclass
class Trial:
    """A running import, into which a fault will be injected."""

    bench: Bench
    home: Home
    chance: random.Random
    started: Started
    watch: Watch
    tally: Tally

    @property
    def quick(self) -> bool:
        """Whether outages should be short."""
        return self.bench.quick

    def wait_for_moment(self, earliest: float = 0.02, latest: float = 0.7) -> None:
        """Wait until a random share of the rows is processed."""
        share = self.chance.uniform(earliest, latest)
        ends_at = time.monotonic() + 60
        while self.watch.share < share and time.monotonic() < ends_at:
            time.sleep(0.005)


def in_mid_import(
    act: Callable[[Trial], None], prepared: Callable[[Home], AbstractContextManager[None]] = nullcontext
) -> Callable[[Bench, random.Random], Tally]:
    """A trial that does ``act`` while the trial file is imported, in a home ``prepared`` for it."""

    def run(bench: Bench, chance: random.Random) -> Tally:
        # The home may be about to restart the database.
        db.session.remove()
        with prepared(bench.home):
            bench.home.workers()
            with bench.watching(bench.upload(bench.new_seller(), bench.file)) as (started, watch):
                trial = Trial(bench, bench.home, chance, started, watch, Tally())
                act(trial)
                bench.home.workers()
                return bench.judge(started, trial.tally, watch)

    return run
