"""Shared by all parts: the installation, the files, and running and observing imports."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from app.csvfile.contract import Mode
from app.statuses import FINAL_IMPORT_STATUSES
from bench import CHECKOUT, catalog, files
from bench.browser import Browser, Uploaded, WrongAnswer
from bench.catalog import Catalog
from bench.files import USUAL_FAILING, File
from bench.services import LOOK_SECONDS, BenchError, Installation, last_words
from bench.table import Measured

#: The directory of results that are not committed.
TRIALS = CHECKOUT / "artefacts" / "bench"
#: Number of rows in the large file, to which the targets apply.
DEFAULT_ROWS = 2_000_000
#: An import that takes longer than this counts as never ending.
_END_SECONDS = 1_800.0
#: An import that writes no row in this time counts as never starting.
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run."""

    only: list[str]
    rows: int
    repeat: int
    seed: int

    @property
    def is_full_size(self) -> bool:
        """Whether the targets apply unchanged."""
        return self.rows == DEFAULT_ROWS

    @property
    def small(self) -> int:
        """Number of rows in the small file: 200,000 beside 2,000,000."""
        return max(self.rows // 10, 10)


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of an import at one moment."""

    status: str
    done: int
    failed: int

    @property
    def is_over(self) -> bool:
        """Whether it is over."""
        return self.status in FINAL_IMPORT_STATUSES


@dataclass(frozen=True, slots=True)
class Settled:
    """An import that is over with the expected result."""

    uploaded: Uploaded
    rows: int
    status: str
    ended_at: float

    @property
    def seconds(self) -> float:
        """Seconds from the answer to the upload to the end."""
        return self.ended_at - self.uploaded.answered_at

    @property
    def seconds_from_click(self) -> float:
        """Seconds from the click on Upload to the end."""
        return self.ended_at - self.uploaded.clicked_at

    @property
    def rows_per_second(self) -> float:
        """Rows per second from the answer to the end."""
        return self.rows / self.seconds


@dataclass
class Bench:
    """The tools and results shared by the parts."""

    options: Options
    installation: Installation
    catalog: Catalog
    #: The lines of the table measured so far, by name.
    measured: dict[str, Measured] = field(default_factory=dict)
    #: All figures behind them, by part, for the results.
    details: dict[str, Any] = field(default_factory=dict)
    _files: dict[Path, File] = field(default_factory=dict)

    @classmethod
    def start(cls, options: Options) -> Bench:
        """Start the services and load the catalog."""
        say("Starting PostgreSQL, Redis, the web server and two workers ...")
        installation = Installation()
        try:
            goods = catalog.provide(installation.root)
            say(f"Loading {goods.description} ...")
            installation.flask("catalog", "load", str(goods.path))
        except BaseException:
            installation.close()
            raise
        return cls(options, installation, goods)

    def file(
        self, rows: int, *, seed: int | None = None, mode: Mode = Mode.CREATE, failing: float = USUAL_FAILING
    ) -> File:
        """A file over the catalog, written once."""
        seed = self.options.seed if seed is None else seed
        path = self.installation.root / f"{mode.lower()}-{rows}-{seed}-{failing}.csv"
        if path not in self._files:
            if rows >= 100_000:
                say(f"Writing a file of {rows:,} rows ...")
            self._files[path] = files.write(path, self.catalog, rows, seed=seed, mode=mode, failing=failing)
        return self._files[path]

    @contextlib.contextmanager
    def with_catalog(self, items: int) -> Iterator[Bench]:
        """A second installation, with an invented catalog; ``load_seconds`` in its details are the catalog's."""
        say(f"  Loading {items:,} invented items into a separate installation ...")
        installation = Installation()
        try:
            path = installation.root / "catalog.csv.gz"
            catalog.invent(path, items)
            began = perf_counter()
            installation.flask("catalog", "load", str(path))
            details = {"load_seconds": perf_counter() - began}
            goods = catalog.read(path, "invented items")
            yield replace(self, installation=installation, catalog=goods, details=details, _files={})
        finally:
            installation.close()
            # This has released all servers that this process held.
            self.installation.hold_servers()

    def counters(self, uploaded: Uploaded) -> Counters:
        """The counters of an import now."""
        found = self.installation.database.execute(
            """
            select i.status, sum(b.created + b.updated + b.unchanged + b.failed), sum(b.failed)
            from imports i join batches b on b.seller_id = i.seller_id and b.import_id = i.id
            where i.public_id = %s group by i.seller_id, i.id
            """,
            (uploaded.public_id,),
        ).fetchone()
        assert found is not None
        return Counters(found[0], int(found[1]), int(found[2]))

    def run_import(self, file: File, browser: Browser | None = None, *, look: float = LOOK_SECONDS) -> Settled:
        """Upload a file and wait for the end of its import."""
        browser = browser or self.installation.sign_in()
        return self.see_through(browser.upload(file.path), file, look=look)

    def count(self, uploaded: Uploaded) -> dict[str, int]:
        """The counts of an import or check so far."""
        found = self.installation.database.execute(
            """
            select sum(created), sum(updated), sum(unchanged), sum(b.failed)
            from imports i join batches b on b.seller_id = i.seller_id and b.import_id = i.id
            where i.public_id = %s
            """,
            (uploaded.public_id,),
        ).fetchone()
        assert found is not None
        return dict(zip(("created", "updated", "unchanged", "failed"), map(int, found), strict=True))

    def wait_for_end(self, uploaded: Uploaded, *, look: float = LOOK_SECONDS) -> float:
        """Wait for the end of an import, with any result. Returns its time."""
        self.installation.wait_until(lambda: self._is_over(uploaded), _END_SECONDS, "the import has ended", look)
        return perf_counter()

    def see_through(self, uploaded: Uploaded, file: File, *, look: float = LOOK_SECONDS) -> Settled:
        """Wait for the end of an import. Raises BenchError if its result is unexpected."""
        ended_at = self.wait_for_end(uploaded, look=look)
        end = self.counters(uploaded)
        if (end.done, end.failed) != (file.rows, file.failed):
            raise BenchError(
                f"Of {file.rows:,} rows {file.failed:,} should fail, but {end.done:,} were processed, "
                f"{end.failed:,} of them failed, and the import is {end.status}. {self._reason(uploaded)}"
            )
        return Settled(uploaded, file.rows, end.status, ended_at)

    def start_import(self, file: File, browser: Browser) -> Uploaded:
        """Upload a file, and return once its rows are being written."""
        uploaded = browser.upload(file.path)
        self.installation.wait_until(lambda: self.counters(uploaded).done, _START_SECONDS, "the import moves")
        return uploaded

    def terminate(self, uploaded: Uploaded, browser: Browser) -> None:
        """Terminate an import that is no longer needed, if it is not over yet."""
        with contextlib.suppress(WrongAnswer):
            browser.press(f"/imports/{uploaded.public_id}/terminate", browser.token())
        self.wait_for_end(uploaded)

    def _reason(self, uploaded: Uploaded) -> str:
        """Why a batch was given up, if one was."""
        found = self.installation.database.execute(
            """
            select b.reason from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
            where i.public_id = %s and b.reason is not null limit 1
            """,
            (uploaded.public_id,),
        ).fetchone()
        assert self.installation.workers is not None
        return f"{found[0]}\n{last_words(self.installation.workers.log)}" if found else ""

    def _is_over(self, uploaded: Uploaded) -> bool:
        query = "select status from imports where public_id = %s"
        found = self.installation.database.execute(query, (uploaded.public_id,)).fetchone()
        return found is not None and found[0] in FINAL_IMPORT_STATUSES


def high(values: Sequence[float], share: float = 0.95) -> float:
    """The value that ``share`` of the values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


#: A part adds its measurements to ``Bench.measured`` and ``Bench.details``.
Part = Callable[[Bench], None]


def say(sentence: str) -> None:
    """Report progress."""
    print(sentence, file=sys.stderr, flush=True)
