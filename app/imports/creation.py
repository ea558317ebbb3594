"""Creates imports, exactly once: from an upload, or from a stored file."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple, Protocol

from sqlalchemy.exc import IntegrityError

from app import audit
from app.audit import Action
from app.batch_plan import BatchPlan
from app.extensions import db
from app.humanize import counted
from app.imports import quotas
from app.imports.errors import ImportedBefore, KeyTaken, TransitionRefused
from app.jobs import queue
from app.models import Batch, Conversion, Import
from app.queries import ImportKey
from app.queries.imports import lookups, retention
from app.queries.listings.listings import DIGEST_FORMAT
from app.statuses import BatchStatus, ImportKind, RetriedRows, TakenUpAs
from app.storage import current_storage

#: Longest stored file name; a longer one loses its beginning.
_MAX_NAME_LENGTH = 200
#: The namespace of the form keys that are derived from Idempotency-Keys.
_IDEMPOTENCY_KEYS = uuid.UUID("0d2b7cf5-8a0f-4d0c-9a9f-6f0a2f6f5a10")


class TakesRows(Protocol):
    """Takes up failed rows of an import, each once, in the transaction that creates the import which has them."""

    def prepare(self, created: Import) -> None:
        """Keep others from taking up rows of the same import until the end of the transaction."""

    def take(self, created: Import) -> None:
        """Take the rows up, once ``created`` has its id. Raises RowsMoved if any of them is not there any more."""


class RetryOf(NamedTuple):
    """The import that a retry belongs to, which of its rows are retried, and who takes failed rows up."""

    parent: ImportKey
    rows: RetriedRows
    taking: TakesRows | None = None


def start_stored(
    original: Import,
    *,
    file_name: str | None = None,
    kind: ImportKind = ImportKind.IMPORT,
    form_key: uuid.UUID | None = None,
    idempotency_key: str | None = None,
    origin: RetryOf | None = None,
) -> Import:
    """Create another import, or check, of the stored file of ``original``, without reading the file again.

    Both share the file from then on. Raises FileNotFoundError when it has been deleted, QuotaExceeded, KeyTaken,
    and IntegrityError if the rows of ``origin`` have been retried already.
    """
    if not is_source_stored(original):
        raise FileNotFoundError(original.storage_key)
    quotas.check_day(original.seller_id, rows=original.total, size=original.file_size)
    created = Import(
        seller_id=original.seller_id,
        kind=kind,
        form_key=form_key or form_key_of(idempotency_key),
        idempotency_key=idempotency_key,
        conversion_id=original.conversion_id,
        file_name=plain_name(file_name) if file_name else original.file_name,
        storage_key=original.storage_key,
        file_size=original.file_size,
        sha256=original.sha256,
        header=original.header,
        total=original.total,
        invalid=original.invalid,
        warnings=original.warnings,
    )
    plans = [
        BatchPlan(batch.start_byte, batch.end_byte, batch.first_line, batch.total)
        for batch in lookups.list_batches(ImportKey.of(original))
    ]
    try:
        if not retention.hold_source(ImportKey.of(original)):
            raise FileNotFoundError(original.storage_key)
        started = insert_once(created, plans, origin=origin)
    except BaseException:
        db.session.rollback()
        raise
    if started is created:
        db.session.commit()
        queue.send_waiting_jobs()
    return started


def start_undo(original: Import, plans: Sequence[BatchPlan], *, kept: int) -> Import:
    """Add an undo of ``original`` with the batches ``plans``, and one for listings that are ``kept`` from the start.

    The caller commits. Raises IntegrityError if another undo of it is not over.
    """
    created = Import(
        seller_id=original.seller_id,
        kind=ImportKind.UNDO,
        parent_id=original.id,
        retried_rows=RetriedRows.WRITTEN,
        file_name=original.file_name,
        name=original.name,
        storage_key=original.storage_key,
        file_size=original.file_size,
        sha256=original.sha256,
        header=original.header,
        total=sum(plan.rows for plan in plans) + kept,
        invalid=0,
        # It does not need the file, and never reads it.
        source_removed_at=datetime.now(UTC),
    )
    _insert(created, plans)
    if kept:
        db.session.add(
            Batch(
                seller_id=created.seller_id,
                import_id=created.id,
                number=len(plans) + 1,
                **dict.fromkeys(("start_byte", "end_byte", "cursor", "first_line", "cursor_line"), 0),
                total=kept,
                unchanged=kept,
                status=BatchStatus.COMPLETED,
                finished_at=datetime.now(UTC),
            )
        )
        db.session.flush()
    return created


def insert_once(
    created: Import, plans: Sequence[BatchPlan], *, refuse_repeated: bool = False, origin: RetryOf | None = None
) -> Import:
    """Insert ``created`` with its batches, or find the import that its form has already created from the same file.

    Raises KeyTaken, ImportedBefore if ``refuse_repeated``, IntegrityError or RowsMoved if rows of its parent have been
    taken up already, and TransitionRefused if they would undo what was decided about others of their foreign file.
    """
    created.parent_id, created.retried_rows = (origin.parent.import_id, origin.rows) if origin else (None, None)
    taking = origin.taking if origin else None
    try:
        return _find_or_insert(created, plans, refuse_repeated=refuse_repeated, taking=taking)
    except IntegrityError:
        if created.form_key is None:
            raise
        db.session.rollback()
        # The same form was sent with another file, and that request was faster.
        return _find_or_insert(created, plans, refuse_repeated=refuse_repeated, taking=taking)


def _find_or_insert(
    created: Import, plans: Sequence[BatchPlan], *, refuse_repeated: bool, taking: TakesRows | None
) -> Import:
    created.digest_format = DIGEST_FORMAT
    # Until this transaction ends, no other creates an import of this file unseen.
    lookups.lock_file(created.seller_id, created.sha256)
    made = find_of_form(created)
    if made is not None:
        return made
    _check_undecided(created)
    if refuse_repeated:
        raise_if_imported(created)
    if taking:
        taking.prepare(created)
    _insert(created, plans)
    if taking:
        taking.take(created)
    return created


def _check_undecided(created: Import) -> None:
    """Raise TransitionRefused if another import has what was open in the foreign file that the rows come from.

    That has added the copies in these rows to its own.
    """
    if created.conversion_id is None or created.kind is not ImportKind.IMPORT:
        return
    conversion = db.session.get_one(Conversion, (created.seller_id, created.conversion_id))
    # The rows of a retry are a file of their own.
    lookups.lock_file(created.seller_id, conversion.sha256)
    if lookups.is_decided(created.seller_id, created.conversion_id, created.parent_id):
        raise TransitionRefused(
            "The rows of this file that were open are in another import. Without them, these rows would set their "
            "listings back to fewer copies. Match the file again instead."
        )


def raise_if_imported(created: Import) -> None:
    """Raise ImportedBefore if the file of ``created`` has been imported before and is still stored."""
    if earlier := find_imported(created.seller_id, created.sha256):
        raise ImportedBefore(earlier)


def find_imported(seller_id: int, sha256: bytes) -> Import | None:
    """The seller's newest import of the file with this digest that still stores it."""
    return next(filter(is_source_stored, lookups.find_same_file(seller_id, sha256)), None)


def find_of_form(created: Import) -> Import | None:
    """The import that the form of ``created`` has already created from the same file and for the same purpose.

    If the form has created another import, ``created`` is inserted without the form's key: the seller went back in the
    browser and chose another file in the same form. For a client of the API that is an error: raises KeyTaken.
    """
    if created.form_key is None:
        return None
    made = lookups.find_by_form(created.seller_id, created.form_key)
    if made is None:
        return None
    if (made.sha256, made.kind) == (created.sha256, created.kind):
        return made
    if created.idempotency_key is not None:
        raise KeyTaken
    created.form_key = None
    return None


def form_key_of(idempotency_key: str | None) -> uuid.UUID | None:
    """The form key for an Idempotency-Key: the same for the same text."""
    return None if idempotency_key is None else uuid.uuid5(_IDEMPOTENCY_KEYS, idempotency_key)


def _insert(created: Import, plans: Sequence[BatchPlan]) -> None:
    db.session.add(created)
    db.session.flush()
    db.session.add_all(
        Batch(
            seller_id=created.seller_id,
            import_id=created.id,
            number=number,
            start_byte=plan.start_byte,
            end_byte=plan.end_byte,
            cursor=plan.start_byte,
            first_line=plan.first_line,
            cursor_line=plan.first_line,
            total=plan.rows,
        )
        for number, plan in enumerate(plans, start=1)
    )
    action = Action.CHECK if created.is_check else _ACTIONS[created.taken_up_as or created.retried_rows]
    detail = f"{counted(created.total, 'listing' if created.is_undo else 'row')} of {created.file_name}"
    audit.record(action, created.seller_id, created.public_id, detail=detail)
    db.session.flush()


#: By how an import has taken up rows of another, and by which.
_ACTIONS: dict[str | None, Action] = {
    None: Action.IMPORT,
    TakenUpAs.UPLOAD: Action.IMPORT,
    TakenUpAs.FIX: Action.IMPORT_CORRECTED,
    TakenUpAs.RETRY: Action.RETRY_FAILED,
    RetriedRows.FAILED: Action.RETRY_FAILED,
    RetriedRows.REMAINING: Action.RETRY_REMAINING,
    RetriedRows.ALL: Action.IMPORT_CHECKED,
    RetriedRows.WRITTEN: Action.UNDO,
}


def is_source_stored(one: Import) -> bool:
    """Whether the file of an import is still in the storage. Raises OSError if that is not known."""
    if one.source_removed_at is not None:
        return False
    storage = current_storage()
    try:
        storage.read(one.storage_key, 0, 1)
    except FileNotFoundError:
        return False
    return True


def plain_name(client_name: str) -> str:
    """The name of the uploaded file without folders and control characters; it is for display only."""
    name = PureWindowsPath(PurePosixPath(client_name).name).name
    name = "".join(character for character in name if character.isprintable())
    return name[-_MAX_NAME_LENGTH:] or "upload.csv"
