"""What has come of an import so far, in the sentence or two that stand at the top of its page."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from app.imports.progress import ImportProgress
from app.statuses import ImportStatus, RetriedRows


def describe(one: ImportProgress, *, groups: int | None = None, retried: Collection[RetriedRows] = ()) -> str:
    """What has come of an import so far.

    ``groups`` is the number of causes that its failed rows have, where it is known; ``retried`` tells which of its rows
    another import has taken up again, so that there is nothing to do about them here.
    """
    return " ".join(_SENTENCES[one.status](one, groups, retried))


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
    yield f"{_live(one)}."
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


_SENTENCES = {
    ImportStatus.RUNNING: _running,
    ImportStatus.PAUSED: _paused,
    ImportStatus.COMPLETED: _over,
    ImportStatus.FAILED: _over,
    ImportStatus.TERMINATED: _terminated,
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


def _to_fix(one: ImportProgress, groups: int | None, *, so_far: bool = False) -> str:
    """How many rows need fixing: a sentence, or ``so_far`` the end of one, which is empty if there are none."""
    if not one.failed:
        return ""
    rows = f"{one.failed:,}" if so_far else _rows(one.failed)
    words = f"{rows} {'needs' if one.failed == 1 else 'need'} fixing"
    if groups and one.failed > 1:
        words += f", in {groups:,} {'group' if groups == 1 else 'groups'}"
    return f"; {words}" if so_far else words


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
