"""Fix it here: an answer for every failed row of one group, and the pages meanwhile and with twenty groups."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path
from time import perf_counter

from app.csvfile.causes import Cause, Code
from app.csvfile.columns import COLUMNS, Column
from bench.browser import Browser
from bench.context import Bench, high, say
from bench.files import File
from bench.table import Measured

_LOOK_SECONDS = 0.05
_END_SECONDS = 300


def measure(bench: Bench) -> None:
    """Import a file in which every row fails, in twenty groups, and one whose rows fail for one reason; answer that."""
    rows = bench.options.rows // 4
    pages: list[float] = []
    surveyed = _begin(bench, bench.file(rows, failing=1.0), pages)[2]
    browser, address, _ = _begin(bench, _in_pounds(bench, rows), pages)
    answer = {"rule": "suggested", "cause": Cause.PRICE_IN_POUNDS.slug, "column": Column.PRICE.value}
    began = perf_counter()
    browser.press(address, browser.token(address), press=json.dumps(answer))
    _wait(bench, browser, address, pages)
    seconds = perf_counter() - began
    say(f"  {rows:,} rows answered in {seconds:.1f} s, pages {high(pages) * 1000:.0f} ms")
    bench.details["fixes"] = {"rows": rows, "seconds": seconds, "survey_seconds": surveyed, "page_seconds": pages}
    bench.measured["fix-answer"] = Measured(seconds, f"pounds to pence in {rows:,} rows")
    note = f"worst {max(pages) * 1000:.0f} ms; {rows:,} rows in twenty groups were counted in {surveyed:.1f} s"
    bench.measured["fix-page"] = Measured(high(pages) * 1000, note)


def _begin(bench: Bench, file: File, pages: list[float]) -> tuple[Browser, str, float]:
    """Import a file and have its failed rows counted; the browser, the page, and the seconds that took."""
    bench.installation.empty()
    browser = bench.installation.sign_in()
    address = f"/imports/{bench.run_import(file, browser).uploaded.public_id}/fix"
    began = perf_counter()
    browser.press(f"{address}/start", browser.token())
    _wait(bench, browser, address, pages)
    pages += browser.time(address, 5)
    return browser, address, perf_counter() - began


def _wait(bench: Bench, browser: Browser, address: str, pages: list[float]) -> None:
    """Wait until nothing is counted or applied any more, and time the page meanwhile."""
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_LOOK_SECONDS):
            pages.extend(browser.time(address, 1))

    looking = threading.Thread(target=look)
    looking.start()
    query = "select count(*) from fixings where answering is not null"
    try:
        bench.installation.wait_until(
            lambda: bench.installation.database.execute(query).fetchone() == (0,), _END_SECONDS, "the answer is applied"
        )
    finally:
        is_over.set()
        looking.join()


def _in_pounds(bench: Bench, rows: int) -> File:
    """A file whose rows fail only because their prices are in pounds."""
    right = bench.file(rows, failing=0.0)
    path = Path(bench.installation.root / f"pounds-{rows}.csv")
    price = COLUMNS.index(Column.PRICE)
    with right.path.open(encoding="utf-8", newline="") as old, path.open("w", encoding="utf-8", newline="") as new:
        reader, writer = csv.reader(old), csv.writer(new, lineterminator="\n")
        writer.writerow(next(reader))
        for cells in reader:
            cells[price] = f"£{int(cells[price]) / 100:.2f}"
            writer.writerow(cells)
    return File(path, rows, {Code.INVALID: rows})
