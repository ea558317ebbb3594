"""Undoing imports against the imports themselves, and what the earlier values cost an UPDATE."""

from __future__ import annotations

import uuid
from statistics import median
from time import perf_counter

from app.csvfile.contract import Mode
from bench.browser import Browser, Uploaded
from bench.context import Bench, Settled, say
from bench.table import Measured


def measure(bench: Bench) -> None:
    """Measure the undo of created and of updated rows."""
    created = bench.file(bench.options.rows, failing=0)
    # Only files of the same number of rows are about the same listings.
    there, updated = (bench.file(bench.options.rows // 2, failing=0, mode=mode) for mode in (Mode.CREATE, Mode.UPDATE))
    bench.details["undo"] = {}
    made, undone = [], []
    changed, put_back = [], []
    for _ in range(bench.options.repeat):
        bench.installation.empty()
        browser = bench.installation.sign_in()
        bench.run_import(there, browser)
        second = bench.run_import(updated, browser)
        changed.append(second.seconds)
        put_back.append(_undo(bench, second, browser))
        bench.installation.empty()
        browser = bench.installation.sign_in()
        first = bench.run_import(created, browser)
        made.append(first.seconds)
        undone.append(_undo(bench, first, browser))
    for name, imports, undos in (("undo-created", made, undone), ("undo-updated", changed, put_back)):
        bench.details["undo"][name] = {"import_seconds": imports, "undo_seconds": undos}
        note = f"{median(undos):.2f} s against {median(imports):.2f} s, Undo clicked → settled"
        bench.measured[name] = Measured(median(undos) / median(imports), note)
    _measure_cost(bench)


def _undo(bench: Bench, imported: Settled, browser: Browser) -> float:
    """Undo an import. Returns the seconds from the click to the end."""
    say(f"  Undoing {imported.rows:,} rows ...")
    token = browser.token()
    clicked_at = perf_counter()
    browser.press(f"/imports/{imported.uploaded.public_id}/undo", token)
    answered_at = perf_counter()
    (undo_id,) = bench.installation.database.execute(
        "select public_id from imports where kind = 'UNDO' order by id desc limit 1"
    ).fetchone() or (uuid.UUID(int=0),)
    return bench.wait_for_end(Uploaded(undo_id, clicked_at, answered_at)) - clicked_at


def _measure_cost(bench: Bench) -> None:
    """An import of UPDATE rows as it is, and with a rule by which the database leaves the earlier values out."""
    created = bench.file(bench.options.rows, failing=0)
    updated = bench.file(bench.options.rows, failing=0, mode=Mode.UPDATE)
    usual: list[float] = []
    without: list[float] = []
    for _ in range(bench.options.repeat):
        for taken, rule in (
            (usual, "drop rule if exists forget on earlier_values"),
            (without, "create rule forget as on insert to earlier_values do instead nothing"),
        ):
            bench.installation.empty()
            bench.installation.database.execute(rule)
            browser = bench.installation.sign_in()
            bench.run_import(created, browser)
            taken.append(bench.run_import(updated, browser).seconds)
    bench.installation.database.execute("drop rule forget on earlier_values")
    bench.details["undo"]["cost"] = {"seconds": usual, "without_seconds": without}
    note = f"{median(usual):.2f} s against {median(without):.2f} s without them"
    bench.measured["undo-kept"] = Measured(100 * (median(usual) / median(without) - 1), note)
