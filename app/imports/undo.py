"""Undoing imports: the preview of an undo, and the undo itself, a run of its own over what the import has written."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from app.batch_plan import BatchPlan, rows_per_batch
from app.extensions import db
from app.imports import settling
from app.imports.creation import start_undo
from app.imports.errors import TransitionRefused
from app.imports.reports.progress import undo_until
from app.jobs import queue
from app.models import Import
from app.queries import ImportKey
from app.queries.imports import lookups, undo
from app.queries.imports.lookups import WithCounters
from app.queries.imports.undo import Left, Passes, Slice
from app.statuses import FINAL_IMPORT_STATUSES, ImportKind, ImportStatus, can_undo


class Preview(NamedTuple):
    """What an undo begun now would do: numbers of listings."""

    removed: int
    put_back: int
    kept: int


def preview(seller_id: int, public_id: uuid.UUID) -> Preview:
    """What undoing an import would do now. Nothing is written. Raises ImportNotFound or TransitionRefused."""
    found = _find(seller_id, public_id)
    parent = ImportKey(seller_id, found.of.id)
    latest, passes = lookups.find_undo(parent), undo.get_passes(parent)
    if latest is not None and not _is_over(latest):
        raise TransitionRefused("This import is being undone already.")
    if latest is not None and not passes.current and not undo.count_kept(seller_id, passes.complete):
        raise TransitionRefused("This import has been undone already.")
    left = _count_left(parent, passes)
    if latest is not None and passes.current:
        total = latest.not_processed
    else:
        total = left.created + _count_updated(parent, passes)
    return Preview(left.as_created, left.as_updated, total - left.as_created - left.as_updated)


def _count_left(parent: ImportKey, passes: Passes) -> Left:
    return undo.count_left(parent, unrecorded=undo.count_unrecorded_rows(parent) > 0, undos=passes.current)


def _count_updated(parent: ImportKey, passes: Passes) -> int:
    """The number of listings that an import updated, or of those that the last pass has kept."""
    if not passes.complete and undo.can_repeat(parent):
        recorded = undo.count_recorded(parent)
    else:
        recorded = sum(one.listings for one in undo.list_recorded(parent, passes.complete))
    return recorded + _count_unrecorded(parent)


def start(seller_id: int, public_id: uuid.UUID) -> Import:
    """Undo an import. Raises ImportNotFound or TransitionRefused.

    Repeated, it returns the same undo, unless that was terminated or has given a batch up: then the rest is undone. If
    listings that it has kept are as the import left them again, those are undone.
    """
    key = lookups.get_key(seller_id, public_id)
    # Until this transaction ends, nobody reopens, deletes or undoes the import.
    undo.hold(key)
    found = _find(seller_id, public_id)
    latest, passes = lookups.find_undo(key), undo.get_passes(key)
    if latest is not None and not _can_begin_again(key, latest, passes):
        return latest.of
    if latest is not None and passes.current:
        plans, unrecorded = _plan_rest(latest), 0
    else:
        plans, unrecorded = _plan(found, passes.complete), _count_unrecorded(key)
    if not plans and not unrecorded:
        db.session.rollback()
        raise TransitionRefused(
            "Later imports have changed all listings of this import, and it was too early for what they were before to"
            " be recorded. So there is nothing to undo."
        )
    started = start_undo(found.of, plans, kept=unrecorded)
    if unrecorded:
        undo.keep_unrecorded(ImportKey(seller_id, started.id), key)
    db.session.commit()
    if not plans:
        settling.run(seller_id, started.id)
    queue.send_waiting_jobs()
    return started


def _can_begin_again(parent: ImportKey, latest: WithCounters, passes: Passes) -> bool:
    """Whether the undo ``latest`` is over and there is more to undo: its rest, or what it kept and can undo now."""
    if not _is_over(latest):
        return False
    if passes.current:
        return True
    if not undo.count_kept(parent.seller_id, passes.complete):
        return False
    left = _count_left(parent, passes)
    return left.as_created + left.as_updated > 0


def _plan(found: WithCounters, kept: list[int]) -> list[BatchPlan]:
    """The batches of an undo of all that an import has created and updated, or of what the undos ``kept``, if any."""
    parent = ImportKey(found.of.seller_id, found.of.id)
    if not kept and undo.can_repeat(parent):
        undo.drop_repeated(parent)
    # All listings of the seller are looked through for those that it created, if there can be any.
    parts = undo.list_created(parent) if found.created else [], undo.list_recorded(parent, kept)
    size = rows_per_batch(sum(one.listings for part in parts for one in part), queue.count_workers_if_known() or 0)
    return [plan for part in parts for plan in _join(part, size)]


def _join(slices: Iterable[Slice], size: int) -> list[BatchPlan]:
    """Consecutive ``slices`` joined into batches of about ``size`` listings."""
    plans: list[BatchPlan] = []
    for one in slices:
        if plans and plans[-1].rows < size:
            plans[-1] = replace(plans[-1], end_byte=one.end, rows=plans[-1].rows + one.listings)
        else:
            plans.append(BatchPlan(one.start, one.end, 0, one.listings))
    return plans


def _plan_rest(latest: WithCounters) -> list[BatchPlan]:
    """The batches of an undo of what the undo ``latest`` has left."""
    return [
        BatchPlan(batch.cursor, batch.end_byte, 0, batch.total - batch.created - batch.updated - batch.unchanged)
        for batch in lookups.list_batches(ImportKey(latest.of.seller_id, latest.of.id))
        if batch.cursor < batch.end_byte
    ]


def _count_unrecorded(parent: ImportKey) -> int:
    """The number of listings that are kept because nobody has recorded what they were."""
    return undo.count_unrecorded(parent) if undo.count_unrecorded_rows(parent) else 0


def _find(seller_id: int, public_id: uuid.UUID) -> WithCounters:
    """The import, if it may be undone. Raises ImportNotFound or TransitionRefused."""
    found = lookups.get_with_counters(seller_id, public_id)
    if reason := _explain_refusal(found):
        db.session.rollback()
        raise TransitionRefused(reason)
    return found


def _explain_refusal(found: WithCounters) -> str | None:
    """Why an import cannot be undone, whatever has been undone of it; None if it can."""
    one = found.of
    status, kind, rows = ImportStatus(one.status), ImportKind(one.kind), found.created + found.updated
    if kind is ImportKind.CHECK:
        return "This is a check only. It has written nothing, so there is nothing to undo."
    if kind is ImportKind.UNDO:
        return "An undo cannot be undone. Import the file again instead."
    if status not in FINAL_IMPORT_STATUSES:
        return "This import has not finished yet. Terminate it first, then undo it."
    if not can_undo(status, kind=kind, rows=rows):
        return "This import has created and updated no listing, so there is nothing to undo."
    ends_at = undo_until(one.finished_at)
    if ends_at is not None and ends_at < datetime.now(UTC):
        return f"This import could be undone until {ends_at:%d %B %Y}."
    return None


def _is_over(latest: WithCounters) -> bool:
    return ImportStatus(latest.of.status) in FINAL_IMPORT_STATUSES
