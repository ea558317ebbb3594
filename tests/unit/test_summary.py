"""The sentence at the top of an import, for every outcome."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.csvfile.causes import Cause
from app.imports.reports.progress import ImportProgress, RelatedImports
from app.imports.reports.summary import count_retriable, describe, explain_invalid, explain_retry, reassure
from app.queries import ImportKey
from app.queries.imports.corrections import NOTHING_DONE
from app.queries.imports.error_groups import ErrorKind, Group
from app.statuses import ImportKind, ImportStatus, RetriedRows, TakenUpAs


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
        header="",
        kind=ImportKind.of_switch(check=is_check),
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


def ended(status: str, total: int, created: int, failed: int, invalid: int) -> ImportProgress:
    """An import that is over, of which the upload check found ``invalid`` rows wrong."""
    one = progress(status, total, created, 0, failed)
    return replace(one, invalid=invalid, finished_at=one.created_at)


LEAVE = "You can close this page – the import will carry on."


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (progress("RUNNING", 9, 0, 0, 0), f"File checked. Importing will start in a moment. {LEAVE}"),
        (progress("RUNNING", 5_022, 1_000, 20, 0), f"1,020 of 5,022 rows are imported so far. {LEAVE}"),
        (progress("RUNNING", 9, 0, 0, 2), f"0 of 9 rows are imported so far; 2 have problems. {LEAVE}"),
        (
            progress("RUNNING", 9, 1, 0, 0, pausing=True),
            "Pausing – finishing the rows in progress. 1 of 9 rows is imported so far.",
        ),
        (progress("PAUSED", 9, 0, 0, 0), "Paused after 0 of 9 rows. Resume to carry on from there."),
        (
            progress("PAUSED", 9, 2, 1, 1),
            "Paused after 4 of 9 rows. Resume to carry on from there. 3 of 9 rows are imported so far; "
            "1 has a problem.",
        ),
        (progress("COMPLETED", 1, 0, 1, 0), "The row is imported."),
        (progress("COMPLETED", 5_022, 5_000, 22, 0), "All 5,022 rows are imported."),
        (progress("FAILED", 5_022, 4_719, 0, 303), "4,719 of 5,022 rows are imported. 303 rows have problems."),
        (progress("FAILED", 1, 0, 0, 1), "The row was not imported. 1 row has a problem."),
        (
            progress("FAILED", 9, 6, 0, 1),
            "6 of 9 rows are imported. 1 row has a problem. "
            "2 rows could not be processed; the table of batches says why.",
        ),
        (
            progress("TERMINATED", 9, 6, 0, 1),
            "Terminated after 7 of 9 rows. 6 rows were imported and will stay. 1 row has a problem. "
            "2 rows were not processed.",
        ),
        (progress("TERMINATED", 1, 0, 0, 0), "Terminated after 0 of 1 row. 1 row was not processed."),
        (progress("COMPLETED", 9, 4, 2, 0, unchanged=3), "All 9 rows are imported (3 of them changed nothing)."),
        (progress("COMPLETED", 9, 4, 4, 0, unchanged=1), "All 9 rows are imported (1 of them changed nothing)."),
        (progress("COMPLETED", 9, 0, 0, 0, unchanged=9), "All 9 rows are imported (none of them changed anything)."),
        (progress("COMPLETED", 1, 0, 0, 0, unchanged=1), "The row is imported (it changed nothing)."),
        (
            progress("FAILED", 9, 0, 0, 8, unchanged=1),
            "1 of 9 rows is imported (it changed nothing). 8 rows have problems.",
        ),
        (
            progress("TERMINATED", 9, 2, 0, 0, unchanged=1),
            "Terminated after 3 of 9 rows. 3 rows were imported and will stay. 6 rows were not processed.",
        ),
    ],
)
def test_every_outcome_has_its_sentence(one: ImportProgress, sentence: str) -> None:
    assert f"{describe(one)} {reassure(one)}".rstrip() == sentence


@pytest.mark.parametrize(
    ("groups", "words"),
    [(9, "303 rows have problems (9 different ones)."), (1, "303 rows have problems (all the same one).")],
)
def test_the_number_of_groups_is_told_where_it_is_known(groups: int, words: str) -> None:
    assert describe(progress("FAILED", 5_022, 4_719, 0, 303), groups=groups).endswith(words)


def test_a_single_row_needs_no_group() -> None:
    assert describe(progress("FAILED", 2, 1, 0, 1), groups=1) == "1 of 2 rows is imported. 1 row has a problem."


def related_to(one: ImportProgress, rows: RetriedRows) -> RelatedImports:
    """What is related to an import of which another one has these rows."""
    heir = replace(one, retry_of=rows)
    closed = one.failed if rows is RetriedRows.FAILED else 0
    return RelatedImports(None, {rows: heir}, [heir], closed, [])


def test_nothing_is_asked_for_that_a_retry_has_taken_up() -> None:
    one = progress("TERMINATED", 9, 5, 1, 1)
    assert describe(one, groups=1, related=related_to(one, RetriedRows.FAILED)).endswith(
        "1 row failed and has been retried. 2 rows were not processed."
    )
    assert describe(one, related=related_to(one, RetriedRows.REMAINING)).endswith(
        "1 row has a problem. 2 rows were moved to a retry."
    )


@pytest.mark.parametrize(
    ("failed", "taken", "left_out", "live", "sentence"),
    [
        (
            24,
            15,
            9,
            "35 of 44 rows are imported: 20 at once, 15 after you fixed them.",
            "All 24 failed rows are dealt with: 15 imported later, 9 left out.",
        ),
        (1, 0, 1, "43 of 44 rows are imported.", "The failed row is dealt with: 1 left out."),
        (
            44,
            44,
            0,
            "All 44 rows are imported: 44 after you fixed them.",
            "All 44 failed rows are dealt with: 44 imported later.",
        ),
        (
            24,
            14,
            9,
            "34 of 44 rows are imported: 20 at once, 14 after you fixed them.",
            "24 rows failed: 14 imported later, 9 left out, 1 left to fix.",
        ),
    ],
)
def test_what_became_of_failed_rows_is_counted(
    failed: int, taken: int, left_out: int, live: str, sentence: str
) -> None:
    fixed = NOTHING_DONE._replace(taken=taken, left_out=left_out)
    one = replace(progress("FAILED", 44, 44 - failed, 0, failed), fixed=fixed)
    heir = progress("COMPLETED", taken, taken, 0, 0)
    heir = replace(heir, retry_of=RetriedRows.FAILED, taken_up_as=TakenUpAs.FIX)
    relatives = RelatedImports(None, {}, [heir], fixed.closed, [])
    assert describe(one, related=relatives) == f"{live} {sentence}"
    # Whoever does not know its relatives, such as the bell, counts what was live at once; so it is once they are
    # undone, and where an uploaded file may have had other rows.
    assert describe(one).endswith(f". {sentence}")
    for other in (replace(heir, is_undone=True), replace(heir, taken_up_as=TakenUpAs.UPLOAD)):
        assert describe(one, related=replace(relatives, takers=[other])) == describe(one)
    if taken:
        begun = replace(relatives, takers=[replace(heir, is_undone=False)])
        assert describe(one, related=begun) == describe(one).replace(
            f". {sentence}",
            f"{' at first' * (failed == 44)}; {taken} were imported later, then undone in part. {sentence}",
        )


@pytest.mark.parametrize(
    ("undone", "kept", "sentence"),
    [
        (progress("RUNNING", 6, 0, 0, 0), 0, "6 of 9 rows were imported, and that is being undone."),
        (ended("COMPLETED", 6, 6, 0, 0), 0, "Nothing of it is live any more: 6 of 9 rows were imported, then undone."),
        (ended("COMPLETED", 6, 6, 0, 0), 2, "6 of 9 rows were imported, then undone except for 2 listings."),
        (ended("TERMINATED", 6, 4, 0, 0), 2, "6 of 9 rows were imported, then undone in part."),
    ],
)
def test_no_row_of_an_undone_import_is_said_to_be_live(undone: ImportProgress, kept: int, sentence: str) -> None:
    for status, begin in (("FAILED", ""), ("TERMINATED", "Terminated after 7 of 9 rows. ")):
        one = progress(status, 9, 5, 1, 1)
        relatives = RelatedImports(None, {}, [], 0, [], undo=undone, kept=kept)
        assert describe(one, related=relatives).startswith(f"{begin}{sentence} 1 row has a problem.")


def check(status: str, total: int, created: int, updated: int, unchanged: int, failed: int, *, pausing: bool = False):
    """A check that has come so far."""
    return progress(status, total, created, updated, failed, unchanged=unchanged, pausing=pausing, is_check=True)


GOES_ON = "You can close this page – the check will carry on."


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (
            check("RUNNING", 9, 0, 0, 0, 0),
            f"File uploaded. Checking will start in a moment, and nothing will be changed. {GOES_ON}",
        ),
        (
            check("RUNNING", 5_022, 1_000, 18, 0, 2),
            f"Checked 1,020 of 5,022 rows so far; 2 have problems. Nothing is changed. {GOES_ON}",
        ),
        (
            check("RUNNING", 9, 0, 1, 0, 0, pausing=True),
            "Pausing – finishing the rows in progress. Checked 1 of 9 rows so far. Nothing is changed.",
        ),
        (check("RUNNING", 9, 0, 0, 0, 0, pausing=True), "Pausing – finishing the rows in progress."),
        (check("PAUSED", 9, 0, 0, 0, 0), "Paused after 0 of 9 rows. Resume to carry on from there."),
        (
            check("PAUSED", 9, 2, 0, 1, 1),
            "Paused after 4 of 9 rows. Resume to carry on from there. Checked 4 of 9 rows so far; 1 has a problem. "
            "Nothing has been changed.",
        ),
        (
            check("FAILED", 5_022, 4_000, 700, 19, 303),
            "Nothing has been changed. If you import this file, 4,000 rows will create listings, 700 will update "
            "listings and 19 will change nothing. 303 rows have problems (3 different ones). You can fix "
            "them here once the file is imported.",
        ),
        (
            check("COMPLETED", 212, 0, 1, 211, 0),
            "Nothing has been changed. If you import this file, 1 row will update a listing and 211 will change "
            "nothing.",
        ),
        (
            check("COMPLETED", 9, 9, 0, 0, 0),
            "Nothing has been changed. If you import this file, all 9 rows will create listings.",
        ),
        (
            check("COMPLETED", 9, 0, 0, 9, 0),
            "Nothing has been changed. If you import this file, all 9 rows will change nothing.",
        ),
        (
            check("COMPLETED", 1, 1, 0, 0, 0),
            "Nothing has been changed. If you import this file, its row will create a listing.",
        ),
        (
            check("FAILED", 1, 0, 0, 0, 1),
            "Nothing has been changed. Nothing in this file can be imported: its row has a problem.",
        ),
        (
            check("FAILED", 9, 0, 0, 0, 9),
            "Nothing has been changed. Nothing in this file can be imported: all 9 rows have problems "
            "(3 different ones).",
        ),
        (
            check("FAILED", 9, 6, 0, 0, 1),
            "Nothing has been changed. According to this check, 6 rows would create listings. 1 row has a problem. You "
            "can fix it here once the file is imported. 2 rows could not be checked; the table of batches says why.",
        ),
        (
            check("TERMINATED", 9, 1, 0, 0, 0),
            "Terminated after 1 of 9 rows. Nothing has been changed. According to this check, 1 row would create a "
            "listing. 8 rows were not checked.",
        ),
        (
            check("TERMINATED", 1, 0, 0, 0, 0),
            "Terminated after 0 of 1 row. Nothing has been changed. 1 row was not checked.",
        ),
    ],
)
def test_every_outcome_of_a_check_has_its_sentence(one: ImportProgress, sentence: str) -> None:
    assert f"{describe(one, groups=3)} {reassure(one)}".rstrip() == sentence
    assert "live" not in sentence


def test_a_check_whose_file_is_imported_says_so() -> None:
    one = check("COMPLETED", 9, 9, 0, 0, 0)
    assert describe(one, related=related_to(one, RetriedRows.ALL)) == (
        "This file has since been imported. According to this check, all 9 rows would create listings."
    )


WRONG = Group(ErrorKind(Cause.PRICE_IN_POUNDS, "PRICE"), 3)
NOT_FOUND = Group(ErrorKind(Cause.ITEM_NOT_FOUND, "URN"), 1)


@pytest.mark.parametrize("status", ["FAILED", "TERMINATED"])
def test_a_retry_can_help_the_rows_that_are_not_wrong_in_themselves(status: str) -> None:
    # Terminated, an import has reached but some of the rows that the upload check found wrong.
    one = replace(progress(status, 200, 100, 0, 4), invalid=90)
    assert count_retriable(one, [WRONG]) == 0
    assert count_retriable(one, [WRONG, NOT_FOUND]) == 1
    # A row with two problems is in two groups.
    assert count_retriable(one, [NOT_FOUND._replace(rows=4), NOT_FOUND._replace(rows=3)]) == 4


def test_what_a_retry_takes_along_is_said_and_when_it_helps() -> None:
    one = progress("TERMINATED", 200, 100, 0, 4)
    assert explain_retry(one, RetriedRows.REMAINING, 0) == "96 rows"
    assert explain_retry(one, RetriedRows.ALL, 0) == "200 rows"
    told = "Can help {} rows, if the catalog or your listings have changed"
    assert explain_retry(one, RetriedRows.FAILED, 4) == told.format("4")
    assert explain_retry(one, RetriedRows.FAILED, 3) == told.format("3 of 4")


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (progress("RUNNING", 9, 0, 0, 0), "no problems found"),
        (replace(progress("RUNNING", 9, 0, 0, 0), invalid=1), "1 row contains mistakes and will fail"),
        (ended("TERMINATED", 9, 2, 2, 5), "5 rows contain mistakes; those reached so far are counted as failed"),
        (ended("FAILED", 9, 4, 5, 5), "5 rows contain mistakes; no other row failed"),
        (ended("FAILED", 9, 2, 7, 5), "5 rows contain mistakes; 2 more did not match the catalog or your listings"),
    ],
)
def test_the_check_of_the_file_is_told_beside_what_failed(one: ImportProgress, words: str) -> None:
    assert explain_invalid(one) == words


@pytest.mark.parametrize(
    ("left_out", "undecided", "said"),
    [
        (3, 0, "3 rows of the file were left out."),
        (10, 7, "10 rows of the file were left out, 7 of them because something is undecided."),
        (1, 1, "1 row of the file was left out because something about it is undecided."),
    ],
)
def test_rows_that_a_converted_file_left_out_are_part_of_the_sentence(left_out: int, undecided: int, said: str) -> None:
    one = replace(ended("COMPLETED", 47, 47, 0, 0), left_out=left_out, undecided=undecided)
    assert describe(one) == f"All 47 rows are imported. {said}"
