"""The speed of the pages of an import with a quarter of its rows failed."""

from __future__ import annotations

from statistics import median

from bench.context import Bench, say
from bench.table import Measured

_FAILING = 0.25
_REQUESTS = 7
#: Requests for the page of errors beside its first page; the texts occur in few rows, and in none.
_FILTERS = ("code=404", "column=PRICE", "cause=condition-unknown", "batch=2", "lines=1000", "text=-4", "text=nowhere")


def measure(bench: Bench) -> None:
    """Import the file, and request its page, its errors, and its errors with every filter."""
    bench.installation.empty()
    file = bench.file(bench.options.rows, failing=_FAILING)
    browser = bench.installation.sign_in()
    settled = bench.run_import(file, browser)
    address = f"/imports/{settled.uploaded.public_id}"
    errors = f"{address}/errors"
    pages = {"the import's page": address, "its errors": errors, "its errors, further down": f"{errors}?after=1000"}
    filters = {query: f"{errors}?{query}" for query in _FILTERS}
    details: dict[str, object] = {"rows": file.rows, "failed": file.failed}
    for name, paths in (("errors-page", pages), ("errors-filter", filters)):
        seconds = {what: browser.time(path, _REQUESTS) for what, path in paths.items()}
        slowest = max(seconds, key=lambda what: median(seconds[what]))
        worst = max(map(max, seconds.values()))
        details[f"{name}_seconds"] = seconds
        bench.measured[name] = Measured(
            median(seconds[slowest]) * 1000,
            f"{slowest} is the slowest, worst {worst * 1000:.0f} ms; {file.failed:,} failed rows",
        )
        say(f"  {name}: {median(seconds[slowest]) * 1000:.0f} ms, {slowest}")
    bench.details["errors"] = details
