"""What happened to an import and who did it, for its seller; from the audit log."""

from datetime import datetime
from typing import NamedTuple

from app.audit import Action
from app.imports.reports.progress import ImportProgress
from app.queries import operations
from app.queries.operations import Deed
from app.statuses import ImportStatus

#: The newest entries that are told.
_MOST = 50

_WORDS = {
    Action.IMPORT: "Uploaded",
    Action.CHECK: "Uploaded for a check",
    Action.IMPORT_CHECKED: "Imported from its check",
    Action.RETRY_FAILED: "Failed rows retried",
    Action.RETRY_REMAINING: "Remaining rows imported",
    Action.CORRECT: "Failed rows dealt with",
    Action.TAKE_BACK: "Corrections taken back",
    Action.IMPORT_CORRECTED: "Corrected rows imported",
    Action.UNDO: "Undo started",
    Action.PAUSE: "Paused",
    Action.RESUME: "Resumed",
    Action.TERMINATE: "Terminated",
    Action.REOPEN: "Tried again",
    Action.ANNOTATE: "Name or note changed",
    Action.DEAL_WITH: "Marked as dealt with",
    Action.REOPEN_RECORD: "Marked as not dealt with",
    Action.DOWNLOAD: "Downloaded",
}
_ENDS = {ImportStatus.COMPLETED: "Completed", ImportStatus.FAILED: "Ended with failed rows"}


class Event(NamedTuple):
    """Something that happened to an import."""

    at: datetime
    words: str
    #: “by you”, or by whom else; empty where Sluice did it itself.
    by: str
    #: What exactly; may be empty.
    detail: str


def get(one: ImportProgress) -> list[Event]:
    """What happened to ``one``, oldest first."""
    deeds = operations.list_deeds(one.key.seller_id, one.public_id, limit=_MOST)
    events = [
        Event(deed.at, _WORDS.get(Action(deed.action), deed.action.capitalize()), _by(one, deed), deed.detail)
        for deed in deeds
        if deed.action in {*Action}
    ]
    if one.finished_at and one.status in _ENDS:
        what = "Ended with rows left over" if not one.failed and one.not_processed else _ENDS[one.status]
        events.append(Event(one.finished_at, what, "", ""))
    return sorted(events, key=lambda event: event.at)


def _by(one: ImportProgress, deed: Deed) -> str:
    if deed.via == "api" and deed.actor_id == one.key.seller_id:
        return f"by your {deed.actor}"
    if deed.actor_id == one.key.seller_id:
        return "by you"
    # Who exactly is the business of operators.
    return "by an operator"
