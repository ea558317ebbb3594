"""How an import comes to be, and that it comes to be once: of bytes that were just stored, or of a stored file."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple

from sqlalchemy.exc import IntegrityError

from app import audit
from app.audit import Action
from app.csvfile.scan import BatchPlan
from app.extensions import db
from app.humanize import counted
from app.imports import quotas
from app.imports.errors import ImportedBefore, KeyTaken
from app.jobs import queue
from app.models import Batch, Import
from app.queries import ImportKey
from app.queries.imports import lookups, retention
from app.statuses import ImportKind, RetriedRows
from app.storage import current_storage

#: Longest file name that is kept; what is longer loses its beginning.
_MAX_NAME_LENGTH = 200


#: The root of the form keys that are made of the Idempotency-Keys of requests.
_IDEMPOTENCY_KEYS = uuid.UUID("0d2b7cf5-8a0f-4d0c-9a9f-6f0a2f6f5a10")


class Origin(NamedTuple):
    """Where the rows of an import come from that takes up those of another."""

    parent: ImportKey
    rows: RetriedRows


def start_stored(
    original: Import,
    *,
    file_name: str | None = None,
    kind: ImportKind = ImportKind.IMPORT,
    form_key: uuid.UUID | None = None,
    idempotency_key: str | None = None,
    origin: Origin | None = None,
) -> Import:
    """Set another import, or check, of the stored file of ``original`` going; nothing of the file is read again.

    Both have the file in common from then on. Raises FileNotFoundError when it is not kept any more, TooMuch, KeyTaken,
    and IntegrityError where the rows of ``origin`` are taken up already.
    """
    if not is_kept(original):
        raise FileNotFoundError(original.storage_key)
    quotas.check_day(original.seller_id, rows=original.total, size=original.file_size)
    created = Import(
        seller_id=original.seller_id,
        kind=kind,
        form_key=form_key or form_key_of(idempotency_key),
        idempotency_key=idempotency_key,
        parent_id=origin and origin.parent.import_id,
        retried_rows=origin and origin.rows,
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
        for batch in lookups.list_batches(ImportKey(original.seller_id, original.id))
    ]
    try:
        if not retention.hold_source(ImportKey(original.seller_id, original.id)):
            raise FileNotFoundError(original.storage_key)
        started = insert_once(created, plans)
    except BaseException:
        db.session.rollback()
        raise
    if started is created:
        db.session.commit()
        queue.fill()
    return started


def insert_once(created: Import, plans: Sequence[BatchPlan], *, refuse_repeated: bool = False) -> Import:
    """Insert ``created`` with its batches, or find the import that its form has made of the same file already.

    Raises KeyTaken, ImportedBefore where ``refuse_repeated`` asks for it, and IntegrityError where the rows of its
    parent are taken up already.
    """
    try:
        return _find_or_insert(created, plans, refuse_repeated=refuse_repeated)
    except IntegrityError:
        if created.form_key is None:
            raise
        db.session.rollback()
        # The same form came with another file, and that was faster by a moment.
        return _find_or_insert(created, plans, refuse_repeated=refuse_repeated)


def _find_or_insert(created: Import, plans: Sequence[BatchPlan], *, refuse_repeated: bool) -> Import:
    # Until the end of this transaction no other makes an import of this file that is not seen here.
    lookups.lock_file(created.seller_id, created.sha256)
    made = find_of_form(created)
    if made is not None:
        return made
    if refuse_repeated:
        raise_if_imported(created)
    _insert(created, plans)
    return created


def raise_if_imported(created: Import) -> None:
    """Raise ImportedBefore where the file of ``created`` has been imported and could be imported from there again."""
    for earlier in lookups.find_same_file(created.seller_id, created.sha256):
        if is_kept(earlier):
            raise ImportedBefore(earlier)


def find_of_form(created: Import) -> Import | None:
    """The import that the form of ``created`` has made already of the same file and for the same purpose.

    Where it has made another, ``created`` goes on without the form's key: somebody went back in the browser, and chose
    another file in the form that was sent before. A program that does so is mistaken: raises KeyTaken.
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
    """The form key that stands for the Idempotency-Key of a request: the same for the same text."""
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
    audit.record(
        _action_of(created),
        created.seller_id,
        created.public_id,
        detail=f"{counted(created.total, 'row')} of {created.file_name}",
    )
    db.session.flush()


def _action_of(created: Import) -> Action:
    if created.is_check:
        return Action.CHECK
    if created.retried_rows is None:
        return Action.IMPORT
    return {
        RetriedRows.ALL: Action.IMPORT_CHECKED,
        RetriedRows.FAILED: Action.RETRY_FAILED,
        RetriedRows.REMAINING: Action.RETRY_REMAINING,
    }[RetriedRows(created.retried_rows)]


def is_kept(one: Import) -> bool:
    """Whether the file of an import is still in the storage. Raises OSError when that cannot be told."""
    if one.source_removed_at is not None:
        return False
    storage = current_storage()
    try:
        storage.read(one.storage_key, 0, 1)
    except FileNotFoundError:
        return False
    return True


def plain_name(client_name: str) -> str:
    """The name of the uploaded file without folders and control characters; it is only ever shown."""
    name = PureWindowsPath(PurePosixPath(client_name).name).name
    name = "".join(character for character in name if character.isprintable())
    return name[-_MAX_NAME_LENGTH:] or "upload.csv"
