"""What the buttons do: upload, pause, resume, terminate, retry. Pages, API and command line all come here."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple

from flask import current_app
from sqlalchemy.exc import IntegrityError

from app.config import Settings
from app.csvfile.rejected import FileRejected
from app.csvfile.scan import Scan, scan
from app.extensions import db
from app.imports import control, files, queue
from app.models import Batch, Import
from app.queries import ImportKey, imports, transitions
from app.statuses import ImportStatus, RetriedRows, can_retry
from app.storage import Storage

#: Longest file name that is kept; what is longer loses its beginning.
_MAX_NAME_LENGTH = 200


class ImportNotFound(Exception):
    """The seller has no such import."""


class TransitionRefused(Exception):
    """The button does not fit the state of the import; the message is a sentence for the seller."""


class Origin(NamedTuple):
    """Where the rows of a retry come from."""

    parent: ImportKey
    rows: RetriedRows


def upload(seller_id: int, file_name: str, pieces: Iterable[bytes], *, origin: Origin | None = None) -> Import:
    """Check a file while its bytes arrive, store it, and set its import going.

    Ends the session's transaction first: the bytes may take minutes, and no connection to the database waits for them.
    Raises FileRejected when the file cannot be imported, OSError when it cannot be stored, and whatever ``pieces``
    raises; nothing is left behind then.
    """
    settings: Settings = current_app.extensions["sluice_settings"]
    storage: Storage = current_app.extensions["sluice_storage"]
    public_id = uuid.uuid4()
    storage_key = f"{seller_id}/{public_id}.csv"
    db.session.rollback()
    digest = hashlib.sha256()
    with storage.create(storage_key) as writer:

        def stored() -> Iterator[bytes]:
            for piece in pieces:
                digest.update(piece)
                writer.write(piece)
                yield piece

        found = scan(stored(), max_rows=settings.max_rows, max_bytes=settings.max_upload_bytes)
        writer.commit()
    created = Import(
        seller_id=seller_id,
        public_id=public_id,
        parent_id=origin and origin.parent.import_id,
        retried_rows=origin and origin.rows,
        file_name=_plain_name(file_name),
        storage_key=storage_key,
        file_size=found.batches[-1].end_byte,
        sha256=digest.digest(),
        header=found.header,
        total=found.total,
        invalid=found.invalid,
    )
    try:
        _insert(created, found)
    except BaseException:
        db.session.rollback()
        storage.delete(storage_key)
        raise
    # Should the connection break here, nobody knows whether the import exists; so the file stays.
    db.session.commit()
    queue.fill()
    return created


def _insert(created: Import, found: Scan) -> None:
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
        for number, plan in enumerate(found.batches, start=1)
    )
    db.session.flush()


def retry(seller_id: int, public_id: uuid.UUID, rows: RetriedRows) -> Import:
    """Import ``rows`` of an import that is over once more, as a file of their own; asked again, the same import.

    Each row is taken up once: what fails again is with the retry, to be taken up from there. Raises ImportNotFound,
    TransitionRefused, and OSError when the rows cannot be read or stored.
    """
    found = imports.find_with_counters(seller_id, public_id)
    if found is None:
        raise ImportNotFound
    one, key = found.of, ImportKey(seller_id, found.of.id)
    earlier = imports.find_retries(key).get(rows)
    if earlier is not None:
        return earlier
    count = {RetriedRows.FAILED: found.failed, RetriedRows.REMAINING: found.not_processed}[rows]
    if not can_retry(ImportStatus(one.status), rows=count):
        raise _nothing_to_retry(ImportStatus(one.status), rows)
    take = {RetriedRows.FAILED: files.failed, RetriedRows.REMAINING: files.remaining}[rows]
    try:
        return upload(seller_id, _retry_name(one.file_name, rows), take(key), origin=Origin(key, rows))
    except FileRejected as rejected:
        # Only when Sluice has come to accept less since the file was uploaded.
        raise TransitionRefused(rejected.message) from rejected
    except IntegrityError:
        # The button was pressed twice, and the other press was faster by a moment.
        earlier = imports.find_retries(key).get(rows)
        if earlier is None:
            raise
        return earlier


#: What a file is called that has only these rows of another.
_ROWS_IN_NAMES = {RetriedRows.FAILED: " (failed rows)", RetriedRows.REMAINING: " (remaining rows)"}


def _retry_name(file_name: str, rows: RetriedRows) -> str:
    stem = files.plain_stem(file_name)
    for addition in _ROWS_IN_NAMES.values():
        stem = stem.removesuffix(addition)
    return f"{stem}{_ROWS_IN_NAMES[rows]}.csv"


def _nothing_to_retry(status: ImportStatus, rows: RetriedRows) -> TransitionRefused:
    if not can_retry(status, rows=1):
        return TransitionRefused("This import is not over yet, so none of its rows can be retried now.")
    if rows is RetriedRows.FAILED:
        return TransitionRefused("No row of this import failed, so there is nothing to retry.")
    return TransitionRefused("Every row of this import was processed, so there is nothing left to import.")


def pause(seller_id: int, public_id: uuid.UUID) -> None:
    """Stop an import at the end of the running chunks. Raises ImportNotFound or TransitionRefused."""
    key = _find(seller_id, public_id)
    if not transitions.request_pause(key):
        raise _refusal(key, "paused")
    transitions.settle_pause(key)
    db.session.commit()
    control.send(key, control.Signal.PAUSE)


def resume(seller_id: int, public_id: uuid.UUID) -> None:
    """Let a paused import go on where it stopped. Raises ImportNotFound or TransitionRefused."""
    key = _find(seller_id, public_id)
    if not transitions.resume(key):
        raise _refusal(key, "resumed")
    db.session.commit()
    control.clear(key)
    queue.fill()


def terminate(seller_id: int, public_id: uuid.UUID) -> None:
    """End an import for good; when this returns, no further row is written.

    Raises ImportNotFound or TransitionRefused.
    """
    key = _find(seller_id, public_id)
    # Sent first, so that the workers are already stopping while this waits for their chunks.
    control.send(key, control.Signal.TERMINATE)
    if not transitions.terminate(key):
        raise _refusal(key, "terminated")
    db.session.commit()


def _find(seller_id: int, public_id: uuid.UUID) -> ImportKey:
    key = imports.find_key(seller_id, public_id)
    if key is None:
        raise ImportNotFound
    return key


def _refusal(key: ImportKey, participle: str) -> TransitionRefused:
    """Why an import cannot be ``participle`` ("paused") right now."""
    db.session.rollback()
    current = db.session.get_one(Import, tuple(key))
    if current.pause_requested_at is not None:
        return TransitionRefused(f"This import is pausing at the moment, so it cannot be {participle} now.")
    state = {
        ImportStatus.RUNNING: "is running",
        ImportStatus.PAUSED: "is paused",
        ImportStatus.COMPLETED: "is already completed",
        ImportStatus.FAILED: "has already ended",
        ImportStatus.TERMINATED: "has already been terminated",
    }[ImportStatus(current.status)]
    return TransitionRefused(f"This import {state}, so it cannot be {participle}.")


def _plain_name(client_name: str) -> str:
    """The name of the uploaded file without folders and control characters; it is only ever shown."""
    name = PureWindowsPath(PurePosixPath(client_name).name).name
    name = "".join(character for character in name if character.isprintable())
    return name[-_MAX_NAME_LENGTH:] or "upload.csv"
