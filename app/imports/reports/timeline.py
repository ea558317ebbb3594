"""What happened to an import and who did it, for its seller; from the audit log."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from app.audit import Action
from app.imports.reports.progress import ImportProgress
from app.imports.reports.summary import say_taken_up
from app.queries import operations
from app.queries.operations import Entry
from app.statuses import ImportStatus

#: The newest entries that are told.
_MOST = 50
#: Of deeds that are told together, so many are named.
_MOST_NAMED = 6
#: Deeds of one kind, each so soon after the last, are told together: one press may be many answers.
_TOGETHER = timedelta(minutes=1)

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
_CHECK_ENDS = {
    ImportStatus.COMPLETED: "Checked: no row would fail",
    ImportStatus.FAILED: "Checked: some rows would fail",
}


class Event(NamedTuple):
    """Something that happened to an import."""

    at: datetime
    words: str
    #: “by you”, or by whom else; empty where Sluice did it itself.
    by: str
    #: What exactly; may be empty.
    detail: str
    #: The other import that it is about, if any.
    about: ImportProgress | None = None


def get(one: ImportProgress, kin: Sequence[ImportProgress]) -> list[Event]:
    """What happened to ``one``, and to its rows in the imports among its ``kin``, oldest first."""
    deeds = reversed(operations.list_audit(public_id=one.public_id, limit=_MOST))
    events = [
        Event(first.at, _WORDS.get(Action(first.action), first.action.capitalize()), _by(one, first), _name_all(told))
        for told in _together(deed for deed in deeds if deed.action in {*Action})
        for first in told[:1]
    ]
    events += _list_later(one, kin)
    if one.finished_at and one.status in _ENDS:
        ends = _CHECK_ENDS if one.is_check else _ENDS
        what = "Ended with rows left over" if not one.failed and one.not_processed else ends[one.status]
        events.append(Event(one.finished_at, what, "", ""))
    return sorted(events, key=lambda event: event.at)


def _together(deeds: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Deeds, oldest first, in the groups that are told in one line."""
    told: list[Entry] = []
    for deed in deeds:
        if told and not _goes_with(told[-1], deed):
            yield told
            told = []
        told.append(deed)
    if told:
        yield told


def _goes_with(last: Entry, deed: Entry) -> bool:
    is_same = (last.action, last.actor_id, last.actor, last.via) == (deed.action, deed.actor_id, deed.actor, deed.via)
    return is_same and deed.action in {Action.CORRECT, Action.TAKE_BACK} and deed.at - last.at < _TOGETHER


def _name_all(deeds: Sequence[Entry]) -> str:
    details = [*dict.fromkeys(deed.detail for deed in deeds if deed.detail)]
    more = len(details) - _MOST_NAMED
    return "; ".join([*details[:_MOST_NAMED], *([f"{more} more"] if more > 0 else [])])


def _list_later(one: ImportProgress, kin: Sequence[ImportProgress]) -> Iterator[Event]:
    """The imports that have taken up rows of ``one``, and the undos of these and of itself."""
    takers = {each.key.import_id: each for each in kin if each.parent_id == one.key.import_id and not each.is_undo}
    for each in kin:
        if each.key.import_id in takers:
            yield Event(each.created_at, say_taken_up(each), "", "", each)
        elif each.is_undo and (each.parent_id in takers or each.parent_id == one.key.import_id):
            yield Event(each.created_at, "Undo started:", "", "", each)


def _by(one: ImportProgress, deed: Entry) -> str:
    if deed.actor_id != one.key.seller_id:
        # Who exactly is the business of operators.
        return "by an operator"
    return f"by your {deed.actor}" if deed.via == "api" else "by you"
