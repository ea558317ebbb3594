"""The summary of an import, in a sentence or two, for the top of its page."""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from app.csvfile.causes import Code
from app.csvfile.contract import listed
from app.humanize import counted
from app.imports.reports.progress import ImportProgress, RelatedImports
from app.queries.imports.corrections import FailedAgain
from app.queries.imports.error_groups import Group
from app.statuses import ImportKind, ImportStatus, RetriedRows, TakenUpAs


def describe(one: ImportProgress, *, groups: int | None = None, related: RelatedImports | None = None) -> str:
    """The summary of an import.

    ``groups`` is the number of causes of its failed rows, where it is known; ``related`` says which of its rows others
    have taken up, so that there is nothing left to do about them here. The summary of a check calls no row
    imported, because a check writes nothing.
    """
    return " ".join(_sentences(one, groups, related))


def say_fixed(one: ImportProgress, of: str = "", by: str = "") -> str:
    """What has become of the failed rows of an import of which some or all are dealt with, without a full stop.

    ``of`` follows the rows where it is not clear whose they are, and ``by`` the number of those that are imported.
    """
    fixed, open_rows = one.fixed, one.failed - one.closed - one.fixed.correct
    told = [(one.imported_later, f"imported later{by}"), *((each.open, _again_in(each)) for each in one.failed_again)]
    told += [(fixed.left_out, "left out"), (one.left_out_later, "left out later")]
    told += [(fixed.correct, "corrected but not imported"), (open_rows, "left to fix")]
    became = ", ".join(f"{count:,} {what}" for count, what in told if count)
    if one.dealt_with < one.failed:
        return f"{_rows(one.failed)}{of} failed: {became}"
    which = f"The failed row{of} is" if one.failed == 1 else f"All {one.failed:,} failed rows{of} are"
    return f"{which} dealt with: {became}"


def _again_in(found: FailedAgain) -> str:
    return f"failed again in {found.name}"


#: By which rows of another import one has, and of failed ones by how it has them.
_TAKEN_UP: dict[str | None, str] = {
    RetriedRows.ALL: "Imported as",
    RetriedRows.FAILED: "Failed rows retried as",
    RetriedRows.REMAINING: "Remaining rows imported as",
    TakenUpAs.FIX: "Corrected rows imported as",
    TakenUpAs.UPLOAD: "Failed rows uploaded again as",
}


def say_undo(related: RelatedImports) -> str:
    """What undoing an import is called, by what its undos have left of it."""
    if related.undo is None:
        return "Undo import"
    return "Undo the rest" if related.undo.not_processed else "Undo what was kept"


def say_taken_up(taker: ImportProgress) -> str:
    """What ``taker``, whose name follows, has done with rows of another import."""
    how = taker.taken_up_as if taker.retry_of is RetriedRows.FAILED else None
    return _TAKEN_UP.get(how) or _TAKEN_UP[taker.retry_of]


def reassure(one: ImportProgress) -> str:
    """That nobody need wait for an import on its way; empty for any other."""
    is_going = one.is_moving and not one.is_pausing
    return f"You can close this page – the {one.noun} will carry on." if is_going else ""


class Terminating(NamedTuple):
    """What is said to who is about to terminate an import."""

    #: How far it is.
    state: str
    #: What that means for its rows.
    consequence: str
    #: The button that leaves it alone.
    keep: str


def ask_to_terminate(one: ImportProgress) -> Terminating:
    """What terminating ``one`` means."""
    if one.is_undo:
        state = f"{one.processed:,} of {counted(one.total, 'listing')} {_have_been(one.processed)} processed."
        return Terminating(state, "What is undone stays undone. You can undo the rest later.", "Keep undoing")
    done = "checked" if one.is_check else "processed"
    state = f"{one.processed:,} of {_rows(one.total)} {_have_been(one.processed)} {done}."
    if one.is_check:
        return Terminating(state, "Nothing has been changed. You can’t resume the check.", "Keep checking")
    stays = "Listings they created or updated stay as they are. " if one.successful else ""
    return Terminating(
        state, f"{stays}You can’t resume the import, but you can import the remaining rows later.", "Keep importing"
    )


def count_by_code(one: ImportProgress, groups: Collection[Group]) -> dict[Code, int]:
    """How many of the failed rows of an import, which fall into these groups, have each code."""
    # A row that is not invalid has one problem, or several of one kind.
    counts = {code: sum(group.rows for group in groups if group.kind.cause.code is code) for code in Code}
    return counts | {Code.INVALID: one.failed - counts[Code.NOT_FOUND] - counts[Code.CONFLICT]}


def count_retriable(one: ImportProgress, groups: Collection[Group]) -> int:
    """How many of the failed rows a retry may help: a row that is invalid in itself (422) stays so."""
    counts = count_by_code(one, groups)
    return min(one.failed, counts[Code.NOT_FOUND] + counts[Code.CONFLICT])


def explain_retry(one: ImportProgress, rows: RetriedRows, retriable: int) -> str:
    """What an action that imports ``rows`` of this one takes along, and when it helps."""
    if rows is not RetriedRows.FAILED:
        return _rows(one.not_processed if rows is RetriedRows.REMAINING else one.total)
    which = f"{retriable:,} of {_rows(one.failed)}" if retriable < one.failed else _rows(one.failed)
    return f"Can help {which}, if the catalog or your listings have changed"


def explain_invalid(one: ImportProgress) -> str:
    """What the upload check found, and how it relates to the failed rows."""
    if not one.invalid:
        return "no problems found"
    contain = f"{_rows(one.invalid)} {'contains' if one.invalid == 1 else 'contain'} mistakes"
    if not one.finished_at:
        return f"{contain} and will fail"
    if one.not_processed:
        return f"{contain}; those reached so far are counted as failed"
    others = one.failed - one.invalid
    if not others:
        return f"{contain}; no other row {'would fail' if one.is_check else 'failed'}"
    return f"{contain}; {others:,} more {'would' if one.is_check else 'did'} not match the catalog or your listings"


class _Words(NamedTuple):
    """What is said about runs of one kind."""

    #: Before the first row of a running one.
    begins: str
    #: The end of the sentence about what has come so far, and what follows it.
    while_running: str
    while_paused: str
    so_far: Callable[[ImportProgress], str]
    over: Callable[[ImportProgress, int | None, RelatedImports | None], Iterator[str]]


def _sentences(one: ImportProgress, groups: int | None, related: RelatedImports | None) -> Iterator[str]:
    words = _WORDS[one.kind]
    if one.is_moving:
        if one.is_pausing:
            yield "Pausing – finishing the rows in progress."
        elif not one.processed:
            yield words.begins
        if one.processed:
            yield f"{words.so_far(one)}{words.while_running}"
    elif one.status is ImportStatus.PAUSED:
        total = counted(one.total, one.rows_word)
        yield f"Paused after {one.processed:,} of {total}. Resume to carry on from there."
        if one.processed:
            different = _different(one, groups) if one.kind is ImportKind.IMPORT else ""
            yield f"{words.so_far(one)}{different}{words.while_paused}"
    else:
        if one.status is ImportStatus.TERMINATED:
            yield f"Terminated after {one.processed:,} of {counted(one.total, one.rows_word)}."
        yield from words.over(one, groups, related)
        yield from _left_out(one)


def _over(one: ImportProgress, groups: int | None, related: RelatedImports | None) -> Iterator[str]:
    if related and related.undo:
        yield f"{_imported(one, related.undo, related.kept)}."
    elif one.status is not ImportStatus.TERMINATED:
        yield f"{_say_imported(one, related)}."
    elif one.successful:
        yield f"{_rows(one.successful)} {_were(one.successful)} imported and will stay."
    yield from _left_to_do(one, groups, related)


def _left_to_do(one: ImportProgress, groups: int | None, related: RelatedImports | None) -> Iterator[str]:
    """What there is to do about an import that is over."""
    if one.failed and related and _are_retried(one, related):
        yield f"{_rows(one.failed)} failed and {'has' if one.failed == 1 else 'have'} been retried."
    elif one.failed and (one.closed or one.fixed.correct):
        yield f"{say_fixed(one)}."
    elif one.failed:
        yield f"{_problems(one)}{_different(one, groups)}."
    if one.not_processed and related and RetriedRows.REMAINING in related.retries:
        yield f"{_rows(one.not_processed)} {_were(one.not_processed)} moved to a retry."
    else:
        yield from _left_over(one, "processed")


def _left_over(one: ImportProgress, done: str) -> Iterator[str]:
    """How many rows of an import that is over are not ``done``."""
    if one.not_processed and one.status is ImportStatus.TERMINATED:
        yield f"{_rows(one.not_processed)} {_were(one.not_processed)} not {done}."
    elif one.not_processed:
        yield f"{_rows(one.not_processed)} could not be {done}; the table of batches says why."


def _left_out(one: ImportProgress) -> Iterator[str]:
    """How many rows of a foreign file are not among those of the import."""
    if not one.left_out:
        return
    said = f"{_rows(one.left_out)} of the file {_were(one.left_out)} left out"
    if one.undecided == one.left_out:
        yield f"{said} because something about {'it' if one.left_out == 1 else 'them'} is undecided."
    elif one.undecided:
        yield f"{said}, {one.undecided:,} of them because something is undecided."
    else:
        yield f"{said}."


def _are_retried(one: ImportProgress, related: RelatedImports) -> bool:
    """Whether all of its failed rows have been imported again as they were."""
    by_retries = all(taker.taken_up_as in {None, TakenUpAs.RETRY} for taker in related.takers)
    return related.closed >= one.failed and by_retries and not one.fixed.left_out and not one.failed_again


def _check_over(one: ImportProgress, groups: int | None, related: RelatedImports | None) -> Iterator[str]:
    is_imported = related is not None and bool(related.retries)
    yield "This file has since been imported." if is_imported else "Nothing has been changed."
    yield from _would_come(one, groups, is_imported=is_imported)
    yield from _left_over(one, "checked")


def _would_come(one: ImportProgress, groups: int | None, *, is_imported: bool) -> Iterator[str]:
    """What an import would do with the rows checked so far, if any."""
    if one.failed and one.failed == one.total:
        which = "its row has a problem" if one.total == 1 else f"all {one.total:,} rows have problems"
        yield f"Nothing in this file {'could' if is_imported else 'can'} be imported: {which}{_different(one, groups)}."
        return
    if one.successful:
        is_certain = not is_imported and not one.not_processed
        lead = "If you import this file" if is_certain else "According to this check"
        yield f"{lead}, {_effects(one, 'will' if is_certain else 'would')}."
    if one.failed:
        yield f"{_problems(one)}{_different(one, groups)}."
        if one.successful and not is_imported:
            yield f"You can fix {'it' if one.failed == 1 else 'them'} here once the file is imported."


def _effects(one: ImportProgress, verb: str) -> str:
    """What the successful rows do to the listings; it counts rows, because several may update one listing."""
    kinds = (
        (one.created, "create a listing", "create listings"),
        (one.updated, "update a listing", "update listings"),
        (one.unchanged, "change nothing", "change nothing"),
    )
    told = [(count, single if count == 1 else many) for count, single, many in kinds if count]
    first, what = told[0]
    rows = f"all {first:,} rows" if first == one.total > 1 else "its row" if one.total == 1 else _rows(first)
    parts = [f"{rows} {verb} {what}", *(f"{count:,} {verb} {what}" for count, what in told[1:])]
    return listed(parts)


def _undo_over(one: ImportProgress, *_: object) -> Iterator[str]:
    if one.processed:
        yield f"{_undone(one)}."
    if one.not_processed:
        rest = counted(one.not_processed, "listing")
        yield f"{rest} {_were(one.not_processed)} not reached. Undo the import again for the rest."


def _undone(one: ImportProgress) -> str:
    """What an undo has done with the listings so far: its three counters, without those that are zero."""
    told = [(one.created, "removed"), (one.updated, "put back"), (one.unchanged, "kept")]
    (first, what), *others = [(count, what) for count, what in told if count]
    return ", ".join([f"{counted(first, 'listing')} {what}", *(f"{count:,} {what}" for count, what in others)])


def _say_imported(one: ImportProgress, related: RelatedImports | None) -> str:
    """The number of imported rows, in a sentence; with those that imports which have taken them up have imported.

    They are not called live: a row may have made its listing a hidden one.
    """
    later = [*_imported_since(one, related)] if related else []
    in_part = _undone_in_part(related) if related else ""
    imported = one.successful + sum(count for count, _ in later)
    words = f"{_share_imported(imported, one.total)}{'' if imported or not in_part else ' at first'}"
    if not later:
        return f"{words}{_unchanged(one)}{in_part}"
    told = [f"{one.successful:,} at once{_unchanged(one)}"] if one.successful else []
    return f"{words}: {', '.join([*told, *(f'{count:,} {how}' for count, how in later)])}{in_part}"


def _imported_since(one: ImportProgress, related: RelatedImports) -> Iterator[tuple[int, str]]:
    """How many rows of an import others have imported, and how that came; none if it is not known of all of these."""
    takers = [taker for taker in related.takers if taker.successful and taker.is_undone is None]
    # A file that was uploaded may have other rows, too.
    if any(taker.taken_up_as is TakenUpAs.UPLOAD for taker in takers):
        return
    for is_fixed in (True, False):
        count = sum(taker.successful for taker in takers if (taker.taken_up_as is TakenUpAs.FIX) is is_fixed)
        if count:
            yield count, f"after you fixed {'it' if count == 1 else 'them'}" if is_fixed else "by a retry"
    count = one.imported_later - sum(taker.successful for taker in takers)
    if count > 0 and all(taker.processed == taker.total and taker.is_undone is None for taker in related.takers):
        yield count, f"after {'it' if count == 1 else 'they'} had failed again"


def _undone_in_part(related: RelatedImports) -> str:
    """The end of that sentence: how many others have imported, and an undo has not finished with."""
    takers = [taker for taker in related.takers if taker.is_undone is False]
    count = sum(taker.successful for taker in takers if taker.taken_up_as is not TakenUpAs.UPLOAD)
    return f"; {count:,} {_were(count)} imported later, then undone in part" if count else ""


def _share_imported(imported: int, total: int) -> str:
    if imported == total:
        return "The row is imported" if total == 1 else f"All {total:,} rows are imported"
    if not imported:
        return "The row was not imported" if total == 1 else f"None of the {total:,} rows were imported"
    return f"{imported:,} of {total:,} rows {_are(imported)} imported"


def _imported(one: ImportProgress, undo: ImportProgress, kept: int) -> str:
    """The number of rows of an import whose latest ``undo`` has come so far, in a sentence."""
    which = "the row" if one.total == 1 else f"{one.successful:,} of {one.total:,} rows"
    words = f"{which} {_were(one.successful)} imported"
    if undo.finished_at and not undo.not_processed and not kept:
        return f"Nothing of it is live any more: {words}, then undone"
    words = words[0].upper() + words[1:]
    if not undo.finished_at:
        return f"{words}, and that is being undone"
    left = "in part" if undo.not_processed else f"except for {counted(kept, 'listing')}"
    return f"{words}, then undone {left}"


def _so_far(one: ImportProgress) -> str:
    """What has come so far: always in the same words, of which only the numbers change."""
    words = f"{one.successful:,} of {_rows(one.total)} {_are(one.successful)} imported so far"
    if one.is_check:
        words = f"Checked {one.processed:,} of {_rows(one.total)} so far"
    return f"{words}; {one.failed:,} {_have(one.failed)}" if one.failed else words


def _unchanged(one: ImportProgress) -> str:
    """The end of a sentence about imported rows: how many of them had nothing to change; empty if all had."""
    if not one.unchanged:
        return ""
    if one.successful == 1:
        return " (it changed nothing)"
    if one.unchanged == one.successful:
        return " (none of them changed anything)"
    return f" ({one.unchanged:,} of them changed nothing)"


def _problems(one: ImportProgress) -> str:
    return f"{_rows(one.failed)} {_have(one.failed)}"


def _different(one: ImportProgress, groups: int | None) -> str:
    """The number of kinds of problems of the failed rows, if known and worth mentioning."""
    if not groups or one.failed == 1:
        return ""
    return " (all the same one)" if groups == 1 else f" ({groups:,} different ones)"


def _have(count: int) -> str:
    return "has a problem" if count == 1 else "have problems"


def _rows(count: int) -> str:
    return counted(count, "row")


def _have_been(count: int) -> str:
    return "has been" if count == 1 else "have been"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


_WORDS = {
    ImportKind.IMPORT: _Words(
        begins="File checked. Importing will start in a moment.",
        while_running=".",
        while_paused=".",
        so_far=_so_far,
        over=_over,
    ),
    ImportKind.CHECK: _Words(
        begins="File uploaded. Checking will start in a moment, and nothing will be changed.",
        while_running=". Nothing is changed.",
        while_paused=". Nothing has been changed.",
        so_far=_so_far,
        over=_check_over,
    ),
    ImportKind.UNDO: _Words(
        begins="The undo will start in a moment.",
        while_running=" so far.",
        while_paused=" so far.",
        so_far=_undone,
        over=_undo_over,
    ),
}
