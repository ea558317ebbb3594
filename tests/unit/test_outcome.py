"""The sentence at the top of an import, for every outcome."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from app.imports.outcome import describe
from app.imports.progress import ImportProgress
from app.queries import ImportKey
from app.statuses import ImportStatus, RetriedRows


def progress(
    status: str,
    total: int,
    created: int,
    updated: int,
    failed: int,
    *,
    unchanged: int = 0,
    pausing: bool = False,
    is_check: bool = False,
):
    """An import that has come so far."""
    now = datetime.now(UTC)
    return ImportProgress(
        key=ImportKey(1, 1),
        public_id=uuid.uuid4(),
        file_name="stock.csv",
        file_size=1,
        is_check=is_check,
        status=ImportStatus(status),
        is_pausing=pausing,
        total=total,
        created=created,
        updated=updated,
        unchanged=unchanged,
        failed=failed,
        invalid=0,
        retry_of=None,
        idempotency_key=None,
        created_at=now,
        started_at=now,
        updated_at=now,
        finished_at=None,
    )


LEAVE = "You can leave this page; the import goes on by itself."


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (progress("RUNNING", 9, 0, 0, 0), "The file is checked, and the first rows are about to be imported."),
        (progress("RUNNING", 5_022, 1_000, 20, 0), f"1,020 of 5,022 rows are live so far. {LEAVE}"),
        (progress("RUNNING", 9, 0, 0, 2), f"None of the 9 rows is live so far; 2 need fixing. {LEAVE}"),
        (
            progress("RUNNING", 9, 1, 0, 0, pausing=True),
            "Pausing: the rows that are being worked on are finished first. 1 of 9 rows is live so far.",
        ),
        (progress("PAUSED", 9, 0, 0, 0), "Paused after 0 of 9 rows. Resume goes on exactly there."),
        (
            progress("PAUSED", 9, 2, 1, 1),
            "Paused after 4 of 9 rows. Resume goes on exactly there. 3 of 9 rows are live so far; 1 needs fixing.",
        ),
        (progress("COMPLETED", 1, 0, 1, 0), "The one row is live."),
        (progress("COMPLETED", 5_022, 5_000, 22, 0), "All 5,022 rows are live."),
        (progress("FAILED", 5_022, 4_719, 0, 303), "4,719 of 5,022 rows are live. 303 rows need fixing."),
        (progress("FAILED", 1, 0, 0, 1), "The one row is not live. 1 row needs fixing."),
        (
            progress("FAILED", 9, 6, 0, 1),
            "6 of 9 rows are live. 1 row needs fixing. 2 rows could not be processed; the table of batches says why.",
        ),
        (
            progress("TERMINATED", 9, 6, 0, 1),
            "Terminated after 7 of 9 rows. 6 rows are live and stay so. 1 row needs fixing. 2 rows were not processed.",
        ),
        (progress("TERMINATED", 1, 0, 0, 0), "Terminated after 0 of 1 row. 1 row was not processed."),
        (progress("COMPLETED", 9, 4, 2, 0, unchanged=3), "All 9 rows are live; 3 of them were so already."),
        (progress("COMPLETED", 9, 4, 4, 0, unchanged=1), "All 9 rows are live; 1 of them was so already."),
        (progress("COMPLETED", 9, 0, 0, 0, unchanged=9), "All 9 rows are live; all of them were so already."),
        (progress("COMPLETED", 1, 0, 0, 0, unchanged=1), "The one row is live, and was so already."),
        (
            progress("FAILED", 9, 0, 0, 8, unchanged=1),
            "1 of 9 rows is live, and was so already. 8 rows need fixing.",
        ),
        (
            progress("TERMINATED", 9, 2, 0, 0, unchanged=1),
            "Terminated after 3 of 9 rows. 3 rows are live and stay so. 6 rows were not processed.",
        ),
    ],
)
def test_every_outcome_has_its_sentence(one: ImportProgress, sentence: str) -> None:
    assert describe(one) == sentence


@pytest.mark.parametrize(
    ("groups", "words"), [(9, "303 rows need fixing, in 9 groups."), (1, "303 rows need fixing, in 1 group.")]
)
def test_the_number_of_groups_is_told_where_it_is_known(groups: int, words: str) -> None:
    assert describe(progress("FAILED", 5_022, 4_719, 0, 303), groups=groups).endswith(words)


def test_a_single_row_needs_no_group() -> None:
    assert describe(progress("FAILED", 2, 1, 0, 1), groups=1) == "1 of 2 rows is live. 1 row needs fixing."


def test_nothing_is_asked_for_that_a_retry_has_taken_up() -> None:
    one = progress("TERMINATED", 9, 5, 1, 1)
    assert describe(one, groups=1, retried=[RetriedRows.FAILED]).endswith(
        "1 row failed and was taken up again by a retry. 2 rows were not processed."
    )
    assert describe(one, retried=[RetriedRows.REMAINING]).endswith(
        "1 row needs fixing. 2 rows were not processed here, but taken up by a retry."
    )


def check(status: str, total: int, created: int, updated: int, unchanged: int, failed: int, *, pausing: bool = False):
    """A check that has come so far."""
    return progress(status, total, created, updated, failed, unchanged=unchanged, pausing=pausing, is_check=True)


GOES_ON = "You can leave this page; the check goes on by itself."


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (
            check("RUNNING", 9, 0, 0, 0, 0),
            "The file is uploaded, and the first rows are about to be checked. Nothing will be written.",
        ),
        (
            check("RUNNING", 5_022, 1_000, 18, 0, 2),
            "Checked so far: 1,020 of 5,022 rows. Nothing is written. 1,018 rows would be imported: 1,000 created, "
            f"18 updated. 2 rows would fail, in 3 groups. {GOES_ON}",
        ),
        (
            check("RUNNING", 9, 0, 0, 0, 1),
            "Checked so far: 1 of 9 rows. Nothing is written. None of these rows would be imported. 1 row would fail. "
            f"{GOES_ON}",
        ),
        (
            check("RUNNING", 9, 0, 1, 0, 0, pausing=True),
            "Pausing: the rows that are being worked on are finished first. Checked so far: 1 of 9 rows. "
            "Nothing is written. 1 row would be imported: updated.",
        ),
        (
            check("RUNNING", 9, 0, 0, 0, 0, pausing=True),
            "Pausing: the rows that are being worked on are finished first.",
        ),
        (check("PAUSED", 9, 0, 0, 0, 0), "Paused after 0 of 9 rows. Resume goes on exactly there."),
        (
            check("PAUSED", 9, 2, 0, 1, 0),
            "Paused after 3 of 9 rows. Resume goes on exactly there. Nothing has been written. "
            "3 rows would be imported: 2 created, 1 left as it is.",
        ),
        (
            check("FAILED", 5_022, 4_000, 700, 19, 303),
            "Nothing has been written. 4,719 of 5,022 rows would be imported: 4,000 created, 700 updated, "
            "19 left as they are. 303 rows would fail, in 3 groups.",
        ),
        (check("COMPLETED", 9, 9, 0, 0, 0), "Nothing has been written. All 9 rows would be imported: all created."),
        (
            check("COMPLETED", 9, 0, 0, 9, 0),
            "Nothing has been written. All 9 rows would be imported: all left as they are.",
        ),
        (check("COMPLETED", 1, 1, 0, 0, 0), "Nothing has been written. The one row would be imported: created."),
        (
            check("COMPLETED", 1, 0, 0, 1, 0),
            "Nothing has been written. The one row would be imported: left as it is.",
        ),
        (check("FAILED", 1, 0, 0, 0, 1), "Nothing has been written. The one row would fail."),
        (
            check("FAILED", 9, 0, 0, 0, 9),
            "Nothing has been written. None of the 9 rows would be imported. 9 rows would fail, in 3 groups.",
        ),
        (
            check("FAILED", 9, 6, 0, 0, 1),
            "Nothing has been written. 6 rows would be imported: all created. 1 row would fail. "
            "2 rows could not be checked; the table of batches says why.",
        ),
        (
            check("TERMINATED", 9, 1, 0, 0, 0),
            "Terminated after 1 of 9 rows. Nothing has been written. 1 row would be imported: created. "
            "8 rows were not checked.",
        ),
        (
            check("TERMINATED", 1, 0, 0, 0, 0),
            "Terminated after 0 of 1 row. Nothing has been written. 1 row was not checked.",
        ),
    ],
)
def test_every_outcome_of_a_check_has_its_sentence(one: ImportProgress, sentence: str) -> None:
    assert describe(one, groups=3) == sentence
    assert "live" not in sentence


def test_a_check_whose_file_is_imported_says_so() -> None:
    assert describe(check("COMPLETED", 9, 9, 0, 0, 0), retried=[RetriedRows.ALL]) == (
        "This check has written nothing; its file is with an import. All 9 rows would be imported: all created."
    )
