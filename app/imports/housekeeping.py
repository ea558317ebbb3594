"""Sellers' housekeeping: an import's name and note, whether it is dealt with, and its deletion."""

import uuid

from app import audit
from app.audit import Action
from app.extensions import db
from app.imports import letting_go
from app.imports.errors import TransitionRefused
from app.models import Import
from app.queries import ImportKey
from app.queries.imports import conversions, housekeeping, lookups
from app.statuses import ImportStatus

#: Longest name and note, in characters.
MAX_NAME = 120
MAX_NOTE = 2_000


def annotate(seller_id: int, public_id: uuid.UUID, *, name: str, note: str) -> None:
    """Give an import a name and a note; an empty one takes it away. Raises ImportNotFound.

    The caller checks the lengths. Control characters are dropped, but for the line breaks of a note.
    """
    name = " ".join("".join(c for c in name if c.isprintable()).split())
    note = "".join(c for c in note.replace("\r\n", "\n") if c.isprintable() or c == "\n").strip()
    housekeeping.annotate(lookups.get_key(seller_id, public_id), name=name or None, note=note or None)
    audit.record(Action.ANNOTATE, seller_id, public_id, detail=name)
    db.session.commit()


def set_dealt_with(seller_id: int, public_id: uuid.UUID, *, dealt_with: bool) -> None:
    """Mark an import that is over as dealt with, or not. Raises ImportNotFound or TransitionRefused."""
    if not housekeeping.set_dealt_with(lookups.get_key(seller_id, public_id), dealt_with=dealt_with):
        db.session.rollback()
        raise TransitionRefused("This import has not finished yet, so there is nothing to mark as dealt with.")
    audit.record(Action.DEAL_WITH if dealt_with else Action.REOPEN_RECORD, seller_id, public_id)
    db.session.commit()


def delete(seller_id: int, public_id: uuid.UUID) -> None:
    """Delete an import that is over: from now on nobody sees it, and retention removes what is stored of it.

    Its listings stay. If it has taken up failed rows of another import and not all of them succeeded, these rows are
    open again there. Raises ImportNotFound or TransitionRefused.
    """
    found = lookups.get_with_counters(seller_id, public_id)
    lets_go = found.of.taken_up_as is not None and found.of.status != ImportStatus.COMPLETED
    if found.created or found.updated or found.unchanged:
        conversions.mark_decided(ImportKey(seller_id, found.of.id))
    if not housekeeping.delete(ImportKey(seller_id, found.of.id)):
        db.session.rollback()
        raise TransitionRefused(_explain(found.of))
    if lets_go:
        letting_go.of_all(found.of)
    audit.record(Action.DELETE, seller_id, public_id, detail=found.of.file_name)
    db.session.commit()


def _explain(one: Import) -> str:
    """Why ``one`` cannot be deleted."""
    if one.finished_at is None:
        return f"This {one.kind.lower()} has not finished yet. Terminate it first, then delete it."
    if one.is_undo:
        return "The record of an undo stays as long as that of its import. Delete that first."
    return "This import is being undone. Wait until the undo has finished, or terminate it first."
