"""Undoing imports against the imports themselves, and what the earlier values cost an UPDATE."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from statistics import median
from time import perf_counter

from app.csvfile.contract import Mode
from bench import memory
from bench.browser import Browser, Uploaded
from bench.context import Bench, Settled, say
from bench.table import Measured

#: Imports with and without earlier values, at least so many of each.
_FEWEST_PAIRS = 5
_FORGET = "create rule forget as on insert to earlier_values do instead nothing"


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
    """An import of UPDATE rows as it is, and with a rule by which the database leaves the earlier values out, in turn.

    The listings are the same each time, and newly created: no import finds the versions that another has left.
    """
    created, updated = (bench.file(bench.options.small, failing=0, mode=mode) for mode in (Mode.CREATE, Mode.UPDATE))
    taken: dict[str, list[tuple[float, float]]] = {"drop rule if exists forget on earlier_values": [], _FORGET: []}
    for _ in range(max(bench.options.repeat, _FEWEST_PAIRS)):
        for rule, measured in taken.items():
            bench.installation.empty()
            bench.installation.database.execute(rule.encode())
            browser = bench.installation.sign_in()
            bench.run_import(created, browser)
            bench.installation.settle()
            began = _postgres_seconds(bench)
            seconds = bench.run_import(updated, browser, look=0.01).seconds
            measured.append((seconds, _postgres_seconds(bench) - began))
    bench.installation.database.execute("drop rule forget on earlier_values")
    (usual, usual_postgres), (without, without_postgres) = (
        map(median, zip(*one, strict=True)) for one in taken.values()
    )
    bench.details["undo"]["cost"] = {"rows": updated.rows, "with_and_without": [*taken.values()]}
    note = (
        f"{usual:.2f} s against {without:.2f} s without them, medians of {len(taken[_FORGET])} in turn; PostgreSQL's"
        f" processor time {usual_postgres:.2f} s against {without_postgres:.2f} s"
    )
    say(f"  {note}")
    bench.measured["undo-kept"] = Measured(100 * (usual / without - 1), note)


def _postgres_seconds(bench: Bench) -> float:
    """The processor time of PostgreSQL so far: of its processes, and of those that have ended."""
    found = bench.installation.database.execute(
        "select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"
    ).fetchone()
    assert found is not None
    postmaster = int(found[0])
    ticks = 0
    for pid in memory.family(postmaster):
        with contextlib.suppress(OSError):
            times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:15]
            # The last two are those of its children that have ended.
            ticks += sum(map(int, times if pid == postmaster else times[:2]))
    return ticks / os.sysconf("SC_CLK_TCK")
