"""Other rows than new ones: updates, updates and new rows mixed, and the same file again."""

from __future__ import annotations

from statistics import median

from app.csvfile.causes import Code
from app.csvfile.contract import Mode
from bench import files
from bench.browser import Browser
from bench.context import Bench, say
from bench.files import File
from bench.rivals import run_expert
from bench.table import Measured


def measure(bench: Bench) -> None:
    """Measure each kind in turn."""
    bench.details["kinds"] = {}
    _measure_updates(bench)
    _measure_mixed(bench)
    _measure_again(bench)


def _measure_updates(bench: Bench) -> None:
    """Rows that change their listings, against the expert's UPDATE; both from the first byte of the file.

    The expert works on full pages and on pages with the product's room for updates; the faster of the two counts.
    """
    created = bench.file(bench.options.rows // 4, failing=0)
    updated = bench.file(bench.options.rows // 4, failing=0, mode=Mode.UPDATE)
    full, roomy, ours = [], [], []
    for _ in range(bench.options.repeat):
        full.append(run_expert(bench, created, updated))
        roomy.append(run_expert(bench, created, updated, with_room=True))
        browser = _begin_with(bench, created)
        ours.append(_run(bench, updated, browser))
    bench.details["kinds"]["update"] = {
        "rows": updated.rows,
        "expert_seconds": full,
        "expert_seconds_with_room": roomy,
        "seconds_from_click": ours,
    }
    note = f"{median(ours):.2f} s against {median(full):.2f} s on full pages, {median(roomy):.2f} s with our room"
    bench.measured["update"] = Measured(median(ours) / min(median(full), median(roomy)), f"{note}; our upload counts")


def _measure_mixed(bench: Bench) -> None:
    """A file of UPDATE and CREATE rows for the same listings against its two halves, and its deadlocks."""
    mixed = files.write_mixed(bench.installation.root, bench.catalog, bench.options.rows // 2, seed=bench.options.seed)
    halves, whole, deadlocks = [], [], 0
    for _ in range(bench.options.repeat):
        browser = _begin_with(bench, mixed.there)
        halves.append(_run(bench, mixed.updates, browser) + _run(bench, mixed.creates, browser))
        browser = _begin_with(bench, mixed.there)
        before = _count_deadlocks(bench)
        whole.append(_run(bench, mixed.all, browser))
        deadlocks += _count_deadlocks(bench) - before
    bench.details["kinds"]["mixed"] = {
        "rows": mixed.all.rows,
        "halves_seconds": halves,
        "seconds": whole,
        "deadlocks": deadlocks,
    }
    note = f"{median(whole):.2f} s against {median(halves):.2f} s; {mixed.all.failed:,} rows create what exists"
    bench.measured["mixed"] = Measured(median(whole) / median(halves), note)
    bench.measured["deadlocks"] = Measured(deadlocks)


def _measure_again(bench: Bench) -> None:
    """A file whose listings all exist already, because it was imported before."""
    file = bench.file(bench.options.small)
    exists = file.rows - file.failed + file.failing.get(Code.CONFLICT, 0)
    again = File(file.path, file.rows, {**file.failing, Code.CONFLICT: exists})
    first, second = [], []
    for _ in range(max(bench.options.repeat, 3)):
        bench.installation.empty()
        browser = bench.installation.sign_in()
        first.append(_run(bench, file, browser))
        second.append(_run(bench, again, browser))
    bench.details["kinds"]["again"] = {"rows": file.rows, "first_seconds": first, "second_seconds": second}
    note = f"{median(second):.2f} s against {median(first):.2f} s"
    bench.measured["again"] = Measured(median(second) / median(first), note)


def _begin_with(bench: Bench, there: File) -> Browser:
    """A new seller, alone, who has imported a file."""
    bench.installation.empty()
    browser = bench.installation.sign_in()
    bench.run_import(there, browser)
    bench.installation.settle()
    return browser


def _run(bench: Bench, file: File, browser: Browser) -> float:
    settled = bench.run_import(file, browser, look=0.01)
    say(f"  {file.path.name}: {settled.seconds_from_click:.2f} s")
    return settled.seconds_from_click


def _count_deadlocks(bench: Bench) -> int:
    # The statistics of a session are reported at the latest when it has been idle for a while.
    found = bench.installation.database.execute(
        "select deadlocks from pg_stat_database where datname = current_database()"
    ).fetchone()
    assert found is not None
    return int(found[0])
