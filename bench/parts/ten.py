"""Ten rows, from the click on Upload to COMPLETED: alone, and beside two million rows of another seller."""

from __future__ import annotations

import time
from statistics import median

from app.statuses import ImportStatus
from bench.browser import Browser
from bench.context import Bench, high, say
from bench.files import File
from bench.services import BenchError
from bench.table import Measured

_ROWS = 10
_TRIES = 15
#: Time between two tries, so that they meet the large import at different moments.
_REST_SECONDS = 0.5
_LOOK_SECONDS = 0.01


def measure(bench: Bench) -> None:
    """Import ten rows many times, each time for a new seller."""
    bench.installation.empty()
    file = bench.file(_ROWS, failing=0)
    alone = [_try(bench, file, bench.installation.sign_in()) for _ in range(_TRIES)]
    _keep(bench, "ten-alone", alone)

    # Signing in is deliberately expensive, a good part of a second, and not part of the wait.
    browsers = [bench.installation.sign_in() for _ in range(_TRIES)]
    busy = bench.installation.sign_in()
    large = bench.start_import(bench.file(bench.options.rows), busy)
    beside: list[float] = []
    for browser in browsers:
        seconds = _try(bench, file, browser)
        if bench.counters(large).is_over:
            break
        beside.append(seconds)
        time.sleep(_REST_SECONDS)
    bench.terminate(large, busy)
    if not beside:
        raise BenchError("The large import was over before ten rows could be imported beside it; take more ROWS.")
    _keep(bench, "ten-beside", beside)


def _try(bench: Bench, file: File, browser: Browser) -> float:
    settled = bench.run_import(file, browser, look=_LOOK_SECONDS)
    if settled.status != ImportStatus.COMPLETED:
        raise BenchError(f"Ten right rows came to {settled.status}.")
    return settled.seconds_from_click


def _keep(bench: Bench, name: str, seconds: list[float]) -> None:
    bench.details.setdefault("ten", {})[name] = seconds
    note = f"{len(seconds)} tries, median {median(seconds):.2f} s, 95 of 100 {high(seconds):.2f} s"
    bench.measured[name] = Measured(max(seconds), note)
    say(f"  {name}: {note}")
