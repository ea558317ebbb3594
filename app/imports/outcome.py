"""What has come of an import so far, in the sentence or two that stand at the top of its page."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from app.imports.progress import ImportProgress
from app.statuses import ImportStatus, RetriedRows
from app.wording import counted


def describe(one: ImportProgress, *, groups: int | None = None, retried: Collection[RetriedRows] = ()) -> str:
    """What has come of an import so far.

    ``groups`` is the number of causes that its failed rows have, where it is known; ``retried`` tells which of its rows
    another import has taken up again, so that there is nothing to do about them here. Nothing is said to be live of
    a check, which writes nothing.
    """
    sentences = _SENTENCES_OF_CHECKS if one.is_check else _SENTENCES
    return " ".join(sentences[one.status](one, groups, retried))


def advise_retry(one: ImportProgress, can_retry: Collection[RetriedRows]) -> str:
    """When it helps to retry the failed rows as they are; empty where that is not offered."""
    if RetriedRows.FAILED not in can_retry:
        return ""
    if one.failed <= one.invalid:
        which = "The failed row is" if one.failed == 1 else f"All {one.failed:,} failed rows are"
        return f"{which} wrong as written, so a retry fails again: download, correct and upload instead."
    return (
        "Retry takes the same rows as they are. It helps where the catalog or your listings have changed since; "
        "rows that have to be corrected fail again, so download those first."
    )


def explain_invalid(one: ImportProgress) -> str:
    """What the check at the upload found, and what that has to do with the rows that failed."""
    if not one.invalid:
        return "every row is well-formed"
    if not one.finished_at:
        return f"{_rows(one.invalid)} will fail validation"
    found = f"{_rows(one.invalid)} {'is' if one.invalid == 1 else 'are'} wrong as written"
    if one.not_processed:
        return f"{found}; of these, those that were reached are among the failed"
    if one.failed == one.invalid:
        return f"{found}; no other row {'would fail' if one.is_check else 'failed'}"
    others = one.failed - one.invalid
    which = "the other failed row" if others == 1 else f"the other {others:,} of the {one.failed:,} failed rows"
    if one.is_check:
        return f"{found}; {which} would not fit the catalog or your listings"
    return f"{found}; {which} did not fit the catalog or your listings"


def _running(one: ImportProgress, groups: int | None, _: Collection[RetriedRows]) -> Iterator[str]:
    if one.is_pausing:
        yield "Pausing: the rows that are being worked on are finished first."
    elif not one.processed:
        yield "The file is checked, and the first rows are about to be imported."
        return
    if one.processed:
        yield f"{_live(one, 'so far')}{_to_fix(one, groups, so_far=True)}."
    if not one.is_pausing:
        yield "You can leave this page; the import goes on by itself."


def _paused(one: ImportProgress, groups: int | None, _: Collection[RetriedRows]) -> Iterator[str]:
    yield f"Paused after {one.processed:,} of {_rows(one.total)}. Resume goes on exactly there."
    if one.processed:
        yield f"{_live(one, 'so far')}{_to_fix(one, groups, so_far=True)}."


def _over(one: ImportProgress, groups: int | None, retried: Collection[RetriedRows]) -> Iterator[str]:
    yield f"{_live(one)}{_so_already(one)}."
    yield from _left_to_do(one, groups, retried)


def _terminated(one: ImportProgress, groups: int | None, retried: Collection[RetriedRows]) -> Iterator[str]:
    yield f"Terminated after {one.processed:,} of {_rows(one.total)}."
    if one.successful:
        yield f"{_rows(one.successful)} {'is live and stays' if one.successful == 1 else 'are live and stay'} so."
    yield from _left_to_do(one, groups, retried)


def _left_to_do(one: ImportProgress, groups: int | None, retried: Collection[RetriedRows]) -> Iterator[str]:
    """What there is to do about an import that is over."""
    if one.failed and RetriedRows.FAILED in retried:
        yield f"{_rows(one.failed)} failed and {_were(one.failed)} taken up again by a retry."
    elif one.failed:
        yield f"{_to_fix(one, groups)}."
    if not one.not_processed:
        return
    if RetriedRows.REMAINING in retried:
        yield f"{_rows(one.not_processed)} {_were(one.not_processed)} not processed here, but taken up by a retry."
    elif one.status is ImportStatus.TERMINATED:
        yield f"{_rows(one.not_processed)} {_were(one.not_processed)} not processed."
    else:
        yield f"{_rows(one.not_processed)} could not be processed; the table of batches says why."


def _check_running(one: ImportProgress, groups: int | None, _: Collection[RetriedRows]) -> Iterator[str]:
    if one.is_pausing:
        yield "Pausing: the rows that are being worked on are finished first."
    elif not one.processed:
        yield "The file is uploaded, and the first rows are about to be checked. Nothing will be written."
        return
    if one.processed:
        yield f"Checked so far: {one.processed:,} of {_rows(one.total)}. Nothing is written."
        yield from _would_come(one, groups)
    if not one.is_pausing:
        yield "You can leave this page; the check goes on by itself."


def _check_paused(one: ImportProgress, groups: int | None, _: Collection[RetriedRows]) -> Iterator[str]:
    yield f"Paused after {one.processed:,} of {_rows(one.total)}. Resume goes on exactly there."
    if one.processed:
        yield "Nothing has been written."
        yield from _would_come(one, groups)


def _check_over(one: ImportProgress, groups: int | None, imported: Collection[RetriedRows]) -> Iterator[str]:
    if one.status is ImportStatus.TERMINATED:
        yield f"Terminated after {one.processed:,} of {_rows(one.total)}."
    yield "This check has written nothing; its file is with an import." if imported else "Nothing has been written."
    yield from _would_come(one, groups)
    if not one.not_processed:
        return
    if one.status is ImportStatus.TERMINATED:
        yield f"{_rows(one.not_processed)} {_were(one.not_processed)} not checked."
    else:
        yield f"{_rows(one.not_processed)} could not be checked; the table of batches says why."


def _would_come(one: ImportProgress, groups: int | None) -> Iterator[str]:
    """What an import would make of the rows that have been checked, as far as there are any."""
    kinds = {"created": one.created, "updated": one.updated, f"left as {_they(one.unchanged)}": one.unchanged}
    told = {words: rows for words, rows in kinds.items() if rows}
    if one.processed == one.total == 1:
        yield f"The one row would be imported: {[*told][0]}." if told else "The one row would fail."
        return
    if one.successful == 1 or len(told) > 1:
        details = ", ".join(f"{rows:,} {words}" if len(told) > 1 else words for words, rows in told.items())
        yield f"{_checked(one)} would be imported: {details}."
    elif told:
        yield f"{_checked(one)} would be imported: all {[*told][0]}."
    elif one.processed:
        yield f"{_checked(one)} would be imported."
    if one.failed:
        yield f"{_rows(one.failed)} would fail{_in_groups(one, groups)}."


def _checked(one: ImportProgress) -> str:
    """The successful rows of a check at the beginning of a sentence; of how many, once all are known."""
    if one.successful == one.total:
        return f"All {one.total:,} rows"
    if not one.successful:
        return "None of these rows" if one.not_processed else f"None of the {one.total:,} rows"
    return _rows(one.successful) if one.not_processed else f"{one.successful:,} of {one.total:,} rows"


_SENTENCES = {
    ImportStatus.RUNNING: _running,
    ImportStatus.PAUSED: _paused,
    ImportStatus.COMPLETED: _over,
    ImportStatus.FAILED: _over,
    ImportStatus.TERMINATED: _terminated,
}

_SENTENCES_OF_CHECKS = {
    ImportStatus.RUNNING: _check_running,
    ImportStatus.PAUSED: _check_paused,
    ImportStatus.COMPLETED: _check_over,
    ImportStatus.FAILED: _check_over,
    ImportStatus.TERMINATED: _check_over,
}


def _live(one: ImportProgress, so_far: str = "") -> str:
    """How many rows have reached the listings."""
    if one.successful == one.total:
        words = "The one row is live" if one.total == 1 else f"All {one.total:,} rows are live"
    elif not one.successful:
        words = "The one row is not live" if one.total == 1 else f"None of the {one.total:,} rows is live"
    else:
        words = f"{one.successful:,} of {one.total:,} rows {'is' if one.successful == 1 else 'are'} live"
    return f"{words} {so_far}".rstrip()


def _so_already(one: ImportProgress) -> str:
    """The end of a sentence about live rows: how many of them had nothing to change; empty if all had."""
    if not one.unchanged:
        return ""
    if one.successful == 1:
        return ", and was so already"
    count = "all" if one.unchanged == one.successful else f"{one.unchanged:,}"
    return f"; {count} of them {_were(one.unchanged)} so already"


def _to_fix(one: ImportProgress, groups: int | None, *, so_far: bool = False) -> str:
    """How many rows need fixing: a sentence, or ``so_far`` the end of one, which is empty if there are none."""
    if not one.failed:
        return ""
    rows = f"{one.failed:,}" if so_far else _rows(one.failed)
    words = f"{rows} {'needs' if one.failed == 1 else 'need'} fixing"
    words += _in_groups(one, groups)
    return f"; {words}" if so_far else words


def _in_groups(one: ImportProgress, groups: int | None) -> str:
    """Into how many groups the failed rows fall, where that is known and worth saying."""
    return f", in {counted(groups, 'group')}" if groups and one.failed > 1 else ""


def _rows(count: int) -> str:
    return counted(count, "row")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _they(count: int) -> str:
    return "it is" if count == 1 else "they are"
