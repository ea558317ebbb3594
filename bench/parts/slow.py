"""The speed of pages and buttons beside many slow uploads of several sellers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter

from bench.browser import Browser, SlowUpload
from bench.context import Bench, say
from bench.services import BenchError
from bench.table import Measured

#: More than the threads of all web processes.
_UPLOADS = 64
_SELLERS = 8
#: A little more than the minimum rate of a web process.
_BYTES_PER_SECOND = 6_000
_BEATS_PER_SECOND = 4
_ROUNDS = 20
_STOP_SECONDS = 60.0


def measure(bench: Bench) -> None:
    """Request a page, the health, and Pause and Resume in turn, while the uploads continue."""
    bench.installation.empty()
    browser = bench.installation.sign_in()
    uploaded = bench.start_import(bench.file(bench.options.rows), browser)
    token = browser.token()
    address = f"/imports/{uploaded.public_id}"
    seconds: dict[str, list[float]] = {"healthz": [], "page": [], "pause": []}
    with _slow_uploads([bench.installation.sign_in() for _ in range(_SELLERS)]) as uploads:
        for _ in range(_ROUNDS):
            seconds["healthz"].append(_time(lambda: browser.get("/healthz")))
            seconds["page"].append(_time(lambda: browser.get("/imports")))
            if bench.counters(uploaded).is_over:
                continue
            seconds["pause"].append(_time(lambda: browser.press(f"{address}/pause", token)))
            bench.installation.wait_until(
                lambda: bench.counters(uploaded).status != "RUNNING", _STOP_SECONDS, "the import is paused"
            )
            if not bench.counters(uploaded).is_over:
                seconds["pause"].append(_time(lambda: browser.press(f"{address}/resume", token)))
        waiting = sum(upload.is_waiting for upload in uploads)
    bench.terminate(uploaded, browser)
    bench.details["slow"] = {f"{name}_seconds": taken for name, taken in seconds.items()} | {"waiting": waiting}
    if not all(seconds.values()):
        raise BenchError(f"The import of {bench.options.rows:,} rows ended before it could be paused: take more ROWS.")
    for name, taken in seconds.items():
        say(f"  {name}: {max(taken):.3f} s")
        note = (
            f"{len(taken)} times, median {median(taken):.3f} s; {waiting} of {_UPLOADS} uploads had a place to the end"
        )
        bench.measured[f"slow-{name}"] = Measured(max(taken), note)


def _time(act: Callable[[], object]) -> float:
    began = perf_counter()
    act()
    return perf_counter() - began


@contextmanager
def _slow_uploads(browsers: list[Browser]) -> Iterator[list[SlowUpload]]:
    """Uploads of these sellers, which receive a few bytes now and then as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        uploads = [
            stack.enter_context(contextlib.closing(SlowUpload(browsers[number % len(browsers)])))
            for number in range(_UPLOADS)
        ]
        is_over = threading.Event()

        def feed() -> None:
            while not is_over.wait(1 / _BEATS_PER_SECOND):
                for upload in uploads:
                    upload.feed(_BYTES_PER_SECOND // _BEATS_PER_SECOND)

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            yield uploads
        finally:
            is_over.set()
            feeder.join()
