"""The one thing that the page of an import offers first: its primary button."""

from enum import StrEnum

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
    #: Go on to the import that has taken its rows up.
    FOLLOW = "follow"
    #: Go back to the import of which it has undone a part, and undo the rest there.
    VIEW_PARENT = "parent"
    VIEW_LISTINGS = "listings"


def next_step(one: ImportProgress, related: RelatedImports) -> NextStep:
    """What the page of ``one`` offers first."""
    if one.can_resume:
        return NextStep.RESUME
    if one.finished_at is None:
        return NextStep.WAIT
    if one.is_undo:
        return NextStep.VIEW_PARENT if one.not_processed and related.parent else NextStep.VIEW_LISTINGS
    return _of_check(one, related) if one.is_check else _of_import(one, related)


def _of_check(one: ImportProgress, related: RelatedImports) -> NextStep:
    if related.retries:
        return NextStep.FOLLOW
    if one.failed < one.total and RetriedRows.ALL in related.can_retry:
        return NextStep.IMPORT
    # Nothing of the file would be imported, so there is no better step than to see why.
    return NextStep.VIEW_ERRORS if one.failed and one.has_errors else NextStep.WAIT


def _of_import(one: ImportProgress, related: RelatedImports) -> NextStep:
    if related.can_fix(one) and not one.is_dealt_with:
        return NextStep.FIX
    if RetriedRows.REMAINING in related.can_retry:
        return NextStep.IMPORT
    if related.takers:
        return NextStep.FOLLOW
    return NextStep.VIEW_LISTINGS if one.successful else NextStep.WAIT
