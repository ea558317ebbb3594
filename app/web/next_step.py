"""The one thing that the page of an import offers first: its primary button."""

from enum import StrEnum
from typing import NamedTuple

from app.imports.reports.progress import ImportProgress, RelatedImports
from app.statuses import RetriedRows


class NextStep(StrEnum):
    """What a seller most likely wants to do next about an import."""

    #: While it runs there is nothing to do but wait.
    WAIT = "wait"
    RESUME = "resume"
    VIEW_ERRORS = "errors"
    #: Correct failed rows, or import those that are corrected.
    FIX = "fix"
    #: Import the file of a check, or the rows that were not processed.
    IMPORT = "import"
    #: Import the file of an import of which nothing is live any more.
    AGAIN = "again"
    #: Go on to the import that has taken its rows up.
    FOLLOW = "follow"
    #: Go back to the import that it has undone, to undo the rest of it or to see what it was.
    VIEW_PARENT = "parent"
    VIEW_LISTINGS = "listings"


class Fixable(NamedTuple):
    """An import with failed rows to fix, and its relatives."""

    one: ImportProgress
    related: RelatedImports


def next_step(
    one: ImportProgress, related: RelatedImports, reopened: Fixable | None, origin: Fixable | None = None
) -> NextStep:
    """What the page of ``one`` offers first.

    ``reopened`` is the import that has its rows again, as they are undone, and ``origin`` the one whose failed rows it
    has in part, if others of them are open.
    """
    if one.can_resume:
        return NextStep.RESUME
    if one.finished_at is None:
        return NextStep.WAIT
    if one.is_undo:
        return _of_undo(one, related, reopened)
    return _of_check(one, related) if one.is_check else _of_import(one, related, reopened, origin)


def _of_undo(one: ImportProgress, related: RelatedImports, reopened: Fixable | None) -> NextStep:
    if reopened:
        return NextStep.FIX
    # There is no listing to be seen if all were removed.
    has_rest = one.not_processed or not one.updated
    return NextStep.VIEW_PARENT if has_rest and related.parent else NextStep.VIEW_LISTINGS


def _of_check(one: ImportProgress, related: RelatedImports) -> NextStep:
    if related.retries:
        return NextStep.FOLLOW
    if one.failed < one.total and RetriedRows.ALL in related.can_retry:
        return NextStep.IMPORT
    # Nothing of the file would be imported, so there is no better step than to see why.
    return NextStep.VIEW_ERRORS if one.failed and one.has_errors else NextStep.WAIT


def _of_import(
    one: ImportProgress, related: RelatedImports, reopened: Fixable | None, origin: Fixable | None
) -> NextStep:
    if reopened or (related.can_fix(one) and not one.is_dealt_with):
        return NextStep.FIX
    if RetriedRows.REMAINING in related.can_retry:
        return NextStep.IMPORT
    if related.takers:
        return NextStep.FOLLOW
    if origin:
        return NextStep.FIX
    if related.is_all_undone(one):
        return NextStep.AGAIN if one.can_import_again else NextStep.WAIT
    return NextStep.VIEW_LISTINGS if one.successful else NextStep.WAIT
