"""An import in each state that a page can show, and what the page must show."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from sqlalchemy import text

from app.extensions import db
from app.imports import commands, settling
from app.imports.worker import batch_job
from app.models import Import, Seller
from app.queries import BatchKey, ImportKey
from app.queries.imports import transitions
from tests.factories import make_items, row, start

#: Why the batch of GIVEN_UP was given up.
REASON = "The storage could not be read."


class State(NamedTuple):
    """A state of an import, and its expected display."""

    name: str
    status: str
    pill: str
    #: The texts of its buttons.
    buttons: list[str]
    #: Total, Successful and Failed.
    counters: tuple[int, int, int]
    #: The pills of its batches, which have one row each.
    batches: list[str]
    #: The summary.
    sentence: str
    #: Further buttons where the import is shown in full.
    retries: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether the display will change soon."""
        return self.status == "RUNNING"


STATES = [
    State(
        "queued",
        "RUNNING",
        "Running",
        ["Pause", "Terminate"],
        (3, 0, 0),
        ["Queued", "Queued", "Queued"],
        "Importing will start in a moment.",
    ),
    State(
        "running",
        "RUNNING",
        "Running",
        ["Pause", "Terminate"],
        (3, 1, 1),
        ["Completed", "Completed, 1 failed", "Running"],
        "1 of 3 rows is imported so far; 1 has a problem. You can close this page",
    ),
    State(
        "pausing",
        "RUNNING",
        "Pausing…",
        ["Terminate"],
        (3, 1, 0),
        ["Completed", "Running", "Paused"],
        "Pausing – finishing the rows in progress. 1 of 3 rows is imported so far.",
    ),
    State(
        "paused",
        "PAUSED",
        "Paused",
        ["Resume", "Terminate"],
        (3, 1, 0),
        ["Completed", "Paused", "Paused"],
        "Paused after 1 of 3 rows. Resume to carry on from there. 1 of 3 rows is imported so far.",
    ),
    State("completed", "COMPLETED", "Completed", [], (2, 2, 0), ["Completed", "Completed"], "All 2 rows are imported."),
    State(
        "failed",
        "FAILED",
        "Failed",
        [],
        (2, 1, 1),
        ["Completed", "Completed, 1 failed"],
        "1 of 2 rows is imported. 1 row has a problem.",
        ("Retry failed rows",),
    ),
    State(
        "terminated",
        "TERMINATED",
        "Terminated",
        [],
        (3, 1, 0),
        ["Completed", "Terminated", "Terminated"],
        "Terminated after 1 of 3 rows. 1 row was imported and will stay. 2 rows were not processed.",
        ("Import remaining rows",),
    ),
    State(
        "given up",
        "FAILED",
        "Failed",
        [],
        (2, 1, 0),
        ["Completed", "Failed"],
        "1 of 2 rows is imported. 1 row could not be processed; the table of batches says why.",
        ("Import remaining rows",),
    ),
]
each_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)


def make(state: State, seller: Seller, *, file_name: str = "stock.csv") -> Import:
    """An import of ``seller`` in ``state``; a seller can have one in each."""
    first = STATES.index(state) * 3 + 1
    make_items(len(STATES) * 3)
    rows = [row(urn=f"urn:test:{number}") for number in range(first, first + state.counters[0])]
    if state.counters[2]:
        rows[1]["URN"] = "urn:test:nowhere"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.csvfile.scan.rows_per_batch", lambda *_: 1)
        started = start(seller, rows, file_name=file_name)
    _PATHS[state.name](started)
    return started


_CORRECTIONS = ("corrections", "answers", "open_values", "fixings")


def everything() -> dict[str, list[tuple[object, ...]]]:
    """Everything in the database about imports and their results, to detect changes."""
    db.session.rollback()
    return {
        table: sorted(map(tuple, db.session.execute(text(f"select * from {table}"))), key=repr)
        for table in ("sellers", "imports", "batches", "listings", "row_errors", "error_groups", *_CORRECTIONS)
    }


def _run(started: Import) -> None:
    _work(started, 1)
    _work(started, 2)
    _claim(started, 3)


def _start_pausing(started: Import) -> None:
    _work(started, 1)
    _claim(started, 2)
    commands.pause(started.seller_id, started.public_id)


def _pause(started: Import) -> None:
    _work(started, 1)
    commands.pause(started.seller_id, started.public_id)


def _finish(started: Import) -> None:
    _work(started, 1)
    _work(started, 2)


def _terminate(started: Import) -> None:
    _work(started, 1)
    commands.terminate(started.seller_id, started.public_id)


def _give_up(started: Import) -> None:
    _work(started, 1)
    _claim(started, 2)
    assert transitions.end_attempt(BatchKey(*_key(started), 2), 1, reason=REASON, max_fruitless_attempts=1)
    settling.settle(_key(started))


_PATHS: dict[str, Callable[[Import], None]] = {
    "queued": lambda started: None,
    "running": _run,
    "pausing": _start_pausing,
    "paused": _pause,
    "completed": _finish,
    "failed": _finish,
    "terminated": _terminate,
    "given up": _give_up,
}


def _key(started: Import) -> ImportKey:
    return ImportKey.of(started)


def _claim(started: Import, number: int) -> None:
    assert transitions.claim(BatchKey(*_key(started), number), 1)
    db.session.commit()


def _work(started: Import, number: int) -> None:
    """Process one batch as a worker does."""
    batch_job.run(*_key(started), number, 1)
