"""How long after the click an import has stopped, while all workers process it."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from bench.browser import Browser, Uploaded, WrongAnswer
from bench.context import Bench, high, say
from bench.files import File
from bench.table import Measured

#: Pause and Terminate in turn.
_CLICKS = 40
#: Enough for seconds of full load; more rows make no difference to a stop.
_ROWS = 200_000
#: An import that has progressed further than this is replaced, so that it does not end before the click.
_FAR = 0.6
_LOOK_SECONDS = 0.005
_STOP_SECONDS = 60.0
_STATUS = {"pause": "PAUSED", "terminate": "TERMINATED"}


def measure(bench: Bench) -> None:
    """Click until there are enough stops of both kinds."""
    bench.installation.empty()
    file = bench.file(_ROWS)
    chance = random.Random(bench.options.seed)
    seconds: dict[str, list[float]] = {"pause": [], "terminate": []}
    running: _Running | None = None
    while sum(map(len, seconds.values())) < _CLICKS:
        running = running or _Running.start(bench, file)
        running.wait_until_all_work()
        # Any moment in a chunk, in a batch, or between two of them.
        time.sleep(chance.uniform(0.05, 0.7))
        if running.is_far():
            bench.terminate(running.uploaded, running.browser)
            running = None
            continue
        button = min(seconds, key=lambda name: len(seconds[name]))
        try:
            seconds[button].append(running.click(button))
        except WrongAnswer:
            # It ended at this very moment.
            running = None
            continue
        if button == "pause":
            running.resume()
        else:
            running = None
    bench.details["stops"] = {f"{button}_seconds": taken for button, taken in seconds.items()}
    for button, taken in seconds.items():
        say(f"  {button}: {high(taken):.3f} s")
        note = f"{len(taken)} clicks, median {median(taken):.3f} s, worst {max(taken):.3f} s"
        bench.measured[button] = Measured(high(taken), note)


@dataclass
class _Running:
    """A running import, and the browser of its seller."""

    bench: Bench
    browser: Browser
    uploaded: Uploaded
    rows: int
    token: str

    @classmethod
    def start(cls, bench: Bench, file: File) -> _Running:
        browser = bench.installation.sign_in()
        return cls(bench, browser, bench.start_import(file, browser), file.rows, browser.token())

    def is_far(self) -> bool:
        counters = self.bench.counters(self.uploaded)
        return counters.is_over or counters.done > _FAR * self.rows

    def wait_until_all_work(self) -> None:
        """Wait until both workers have claimed a batch of it, or it is nearly over."""
        self.bench.installation.wait_until(
            lambda: self._count_running() == 2 or self.is_far(), _STOP_SECONDS, "both workers are at work"
        )

    def click(self, button: str) -> float:
        """Press a button. Returns the seconds until the import has stopped."""
        began = perf_counter()
        self._press(button)
        self.bench.installation.wait_until(
            lambda: self.bench.counters(self.uploaded).status == _STATUS[button] and not self._count_running(),
            _STOP_SECONDS,
            f"the import is {_STATUS[button]}",
            _LOOK_SECONDS,
        )
        return perf_counter() - began

    def resume(self) -> None:
        self._press("resume")

    def _press(self, button: str) -> None:
        self.browser.press(f"/imports/{self.uploaded.public_id}/{button}", self.token)

    def _count_running(self) -> int:
        found = self.bench.installation.database.execute(
            """
            select count(*) from batches b join imports i on i.seller_id = b.seller_id and i.id = b.import_id
            where i.public_id = %s and b.status = 'RUNNING'
            """,
            (self.uploaded.public_id,),
        ).fetchone()
        assert found is not None
        return int(found[0])
