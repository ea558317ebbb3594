"""How fast the pages of an import are of whose rows a quarter has failed."""

from __future__ import annotations

from statistics import median

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
