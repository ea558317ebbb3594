"""How fast the pages of an import are of whose rows a quarter has failed."""

from __future__ import annotations

from statistics import median
from time import perf_counter

from bench.browser import Browser
from bench.context import Bench, say
from bench.table import Measured

_FAILING = 0.25
_REQUESTS = 7
#: What is asked of the page of errors besides its first page; the texts stand in few rows, and in none.
_FILTERS = ("code=404", "column=PRICE", "cause=condition-unknown", "batch=2", "lines=1000", "text=-4", "text=nowhere")


def measure(bench: Bench) -> None:
    """Import the file, and then look at its page, at its errors, and at its errors through every filter."""
    bench.installation.empty()
    file = bench.file(bench.options.rows, failing=_FAILING)
    browser = bench.installation.sign_in()
    settled = bench.run_import(file, browser)
    address = f"/imports/{settled.uploaded.public_id}"
    pages = {path: _time(browser, path) for path in (address, f"{address}/errors", f"{address}/errors?after=1000")}
    filters = {query: _time(browser, f"{address}/errors?{query}") for query in _FILTERS}
    bench.details["errors"] = {"rows": file.rows, "failed": file.failed, "page_seconds": [*pages.values()]}
    bench.details["errors"]["filter_seconds"] = filters
    for name, found in (("errors-page", pages), ("errors-filter", filters)):
        slowest = max(found, key=lambda one: median(found[one]))
        shown = slowest.replace(address, "the import's page").replace("the import's page/errors", "its errors")
        note = (
            f"{shown} is the slowest, worst {max(map(max, found.values())) * 1000:.0f} ms; {file.failed:,} failed rows"
        )
        bench.measured[name] = Measured(median(found[slowest]) * 1000, note)
        say(f"  {name}: {median(found[slowest]) * 1000:.0f} ms, {shown}")


def _time(browser: Browser, path: str) -> list[float]:
    seconds = []
    for _ in range(_REQUESTS):
        began = perf_counter()
        browser.get(path)
        seconds.append(perf_counter() - began)
    return seconds
