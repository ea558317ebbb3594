"""The actions on imports: upload, pause, resume, terminate, retry and more, for pages, API and command line."""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from app import audit
from app.audit import Action
from app.batch_plan import BatchPlan
from app.config import current_settings
from app.csvfile.errors import FileRejected
from app.csvfile.scan import scan
from app.extensions import db
from app.imports import quotas
from app.imports.conversions import check_decided, derive
from app.imports.creation import (
    RetryOf,
    find_of_form,
    form_key_of,
    insert_once,
    is_source_stored,
    plain_name,
    raise_if_imported,
    start_stored,
)
from app.imports.errors import QuotaExceeded, RowsMoved, TransitionRefused
from app.imports.fixes.taking import StoredFile, Taking, recognise
from app.imports.reports import exports, seller_file
from app.imports.worker import stop_signal
from app.jobs import queue
from app.models import Import
from app.queries import ConversionKey, ImportKey
from app.queries.imports import corrections, lookups, transitions
from app.queries.imports.conversions import find_of_import, mark_used
from app.statuses import CorrectionState, ImportKind, ImportStatus, RetriedRows, TakenUpAs, can_reopen, can_retry
from app.storage import current_storage


def upload(
    seller_id: int,
    file_name: str,
    pieces: Iterable[bytes],
    *,
    kind: ImportKind = ImportKind.IMPORT,
    form_key: uuid.UUID | None = None,
    idempotency_key: str | None = None,
    refuse_repeated: bool = False,
    origin: RetryOf | None = None,
    conversion_id: int | None = None,
) -> Import:
    """Check a file while its bytes arrive, store it, and create its import or check.

    A form that is sent again (with the same ``form_key``) with the same file creates nothing new, but returns the
    import that it has created. So does a request with the same ``idempotency_key``. With ``refuse_repeated``, raises
    ImportedBefore if an earlier import had the same file and still stores it. ``conversion_id`` tells where the rows of
    a converted file come from (``conversions.derive``).

    Ends the session's transaction first: the bytes may take minutes, and no connection to the database waits for them.
    Raises FileRejected when the file cannot be imported, QuotaExceeded when the seller has exceeded a quota, KeyTaken
    when the ``idempotency_key`` belongs to another import, OSError when the file cannot be stored, and whatever
    ``pieces`` raises; nothing is stored then.
    """
    settings = current_settings()
    storage = current_storage()
    public_id = uuid.uuid4()
    storage_key = f"{seller_id}/{public_id}.csv"
    quotas.check_day(seller_id)
    db.session.rollback()
    digest = hashlib.sha256()
    with storage.create(storage_key) as writer:
        limits = {"max_rows": settings.max_rows, "max_bytes": settings.max_upload_bytes}
        arriving = _copied(pieces, digest.update, writer.write)
        found = scan(arriving, **limits, workers=queue.count_workers_if_known() or 0)
        created = Import(
            seller_id=seller_id,
            public_id=public_id,
            kind=kind,
            form_key=form_key or form_key_of(idempotency_key),
            idempotency_key=idempotency_key,
            conversion_id=conversion_id,
            file_name=plain_name(file_name),
            storage_key=storage_key,
            file_size=found.batches[-1].end_byte,
            sha256=digest.digest(),
            header=found.header,
            total=found.total,
            invalid=found.invalid,
            warnings=[warned._asdict() for warned in found.warnings],
        )
        # Without ``commit`` nothing is stored, so that an existing file is not stored again.
        made = find_of_form(created)
        if made is not None:
            return made
        quotas.check_day(seller_id, rows=found.total, size=found.batches[-1].end_byte)
        if refuse_repeated:
            raise_if_imported(created)
        db.session.rollback()
        writer.commit()
    try:
        started = _insert(created, found.batches, origin, refuse_repeated=refuse_repeated)
    except BaseException:
        db.session.rollback()
        storage.delete(storage_key)
        raise
    if started is not created:
        storage.delete(storage_key)
        return started
    told = {"public_id": created.public_id, "file_name": created.file_name}
    # If the connection breaks here, it is not known whether the import exists, so the file stays.
    db.session.commit()
    queue.send_waiting_jobs()
    for name, value in told.items():
        # The answer needs nothing else, and so need not load the import again.
        set_committed_value(created, name, value)
    return created


def _copied(pieces: Iterable[bytes], *sinks: Callable[[bytes], object]) -> Iterator[bytes]:
    """The same pieces, each of which goes to the ``sinks``, too, as it is taken."""
    for piece in pieces:
        for sink in sinks:
            sink(piece)
        yield piece


def _insert(created: Import, plans: Sequence[BatchPlan], origin: RetryOf | None, *, refuse_repeated: bool) -> Import:
    """Insert an import whose file is stored, and take up the rows that it retries; or return the one of its form."""
    if origin is None and created.kind == ImportKind.IMPORT and created.conversion_id is None:
        origin = _recognise(created)
    started = insert_once(created, plans, refuse_repeated=refuse_repeated, origin=origin)
    if created.conversion_id is not None:
        mark_used(ConversionKey(created.seller_id, created.conversion_id))
    return started


def _recognise(file: Import) -> RetryOf | None:
    """Whose failed rows are in a stored file, if any. Raises FileRejected if they were imported in another way."""
    stored = StoredFile(file.storage_key, file.header, file.file_size, file.total)
    own = seller_file.find(ImportKey.of(file)) if file.conversion_id else None
    taking = recognise(file.seller_id, stored, own)
    db.session.rollback()
    return RetryOf(taking.parent, RetriedRows.FAILED, taking) if taking else None


def import_checked(seller_id: int, public_id: uuid.UUID) -> Import:
    """Import the file of a check that is over. Repeated, it returns the same import.

    Raises ImportNotFound, TransitionRefused, and FileNotFoundError when the file has been deleted.
    """
    found = lookups.get_with_counters(seller_id, public_id)
    checked = found.of
    if not checked.is_check:
        raise TransitionRefused("This is an import itself, not a check.")
    origin = RetryOf(ImportKey(seller_id, checked.id), RetriedRows.ALL)

    def start() -> Import:
        if not can_retry(ImportStatus(checked.status), rows=checked.total):
            raise TransitionRefused("This check has not finished yet, so its file cannot be imported from here now.")
        if not is_source_stored(checked):
            raise FileNotFoundError(checked.storage_key)
        try:
            recognised = _recognise(checked)
        except FileRejected as rejected:
            raise TransitionRefused(rejected.message) from rejected
        if conversion := find_of_import(origin.parent):
            lookups.lock_file(seller_id, checked.sha256)
            check_decided(conversion)
        return start_stored(checked, origin=origin._replace(taking=recognised.taking) if recognised else origin)

    return _once(partial(_find_retry, origin), start)


def import_again(
    seller_id: int,
    public_id: uuid.UUID,
    *,
    file_name: str | None = None,
    kind: ImportKind = ImportKind.IMPORT,
    form_key: uuid.UUID | None = None,
    idempotency_key: str | None = None,
) -> Import:
    """Import or check the file of an import again, under ``file_name`` if given.

    Each call creates a new import, unless a form or a request is repeated. Raises ImportNotFound, TransitionRefused,
    KeyTaken, and FileNotFoundError when the file has been deleted.
    """
    original = lookups.get_with_counters(seller_id, public_id).of
    if original.is_check:
        raise TransitionRefused("This is a check only. Import its file from its own page.")
    if original.is_undo:
        raise TransitionRefused("This is an undo. Import the file again from the page of its import.")
    return start_stored(original, file_name=file_name, kind=kind, form_key=form_key, idempotency_key=idempotency_key)


def retry(seller_id: int, public_id: uuid.UUID, rows: RetriedRows) -> Import:
    """Retry ``rows`` of an import that is over, as a new file. Repeated, it returns the same import.

    Each row is taken up once: failed rows that are corrected, left out or with another import stay out of it, and a row
    that fails again belongs to the retry. Raises ImportNotFound, TransitionRefused, and OSError when the rows cannot be
    read or stored.
    """
    found = lookups.get_with_counters(seller_id, public_id)
    one = found.of
    if one.is_check:
        raise TransitionRefused("This is a check only, so there is nothing to retry. Import its file instead.")
    if one.is_undo:
        raise TransitionRefused("This is an undo. Undo the rest from the page of its import.")
    key = ImportKey(seller_id, one.id)

    def start() -> Import:
        if rows is RetriedRows.FAILED and one.errors_removed_at is not None:
            raise TransitionRefused("The failed rows of this import have been deleted.")
        count = {RetriedRows.FAILED: found.failed, RetriedRows.REMAINING: found.not_processed}[rows]
        if not can_retry(ImportStatus(one.status), rows=count):
            raise _nothing_to_retry(ImportStatus(one.status), rows)
        name = _retry_name(one.file_name, rows)
        if rows is RetriedRows.REMAINING:
            return _upload_rows(one, name, exports.remaining_lines(key), exports.remaining(key), RetryOf(key, rows))
        if not _count_open(key, found.failed):
            raise TransitionRefused("No failed row is left open: all are corrected, left out or with another import.")
        return _upload_failed(one, name, CorrectionState.OPEN)

    return _once(partial(_find_retry, RetryOf(key, rows)), start)


def import_corrected(seller_id: int, public_id: uuid.UUID, *, form_key: uuid.UUID | None = None) -> Import:
    """Import the corrected rows of an import as a new one. A form that is sent again creates nothing new.

    Raises ImportNotFound, TransitionRefused, QuotaExceeded, and OSError when the rows cannot be stored.
    """
    one = lookups.get_with_counters(seller_id, public_id).of
    key = ImportKey(seller_id, one.id)

    def start() -> Import:
        if not corrections.get(key).correct or corrections.has_old_retry(key):
            raise TransitionRefused("No corrected row of this import is waiting to be imported.")
        name = f"{_FIXES}{one.file_name.removeprefix(_FIXES)}"
        try:
            return _upload_failed(one, name, CorrectionState.RIGHT, form_key=form_key)
        except IntegrityError as error:
            raise RowsMoved from error

    return _once(lambda: lookups.find_by_form(seller_id, form_key) if form_key else None, start)


def _upload_failed(one: Import, name: str, state: CorrectionState, *, form_key: uuid.UUID | None = None) -> Import:
    """Import the failed rows of ``one`` in this state as a file of their own."""
    key = ImportKey.of(one)
    origin = RetryOf(key, RetriedRows.FAILED, Taking(key, state))
    return _upload_rows(one, name, exports.lines_in(key, state), exports.rows_in(key, state), origin, form_key=form_key)


def _upload_rows(
    one: Import,
    name: str,
    lines: Iterable[int],
    pieces: Iterable[bytes],
    origin: RetryOf,
    *,
    form_key: uuid.UUID | None = None,
) -> Import:
    """Import rows of ``one``, which stand on these ``lines`` of it, as a file of their own."""
    try:
        conversion_id = derive(origin.parent, lines)
        return upload(one.seller_id, name, pieces, origin=origin, form_key=form_key, conversion_id=conversion_id)
    except QuotaExceeded:
        raise
    except FileRejected as rejected:
        # Only if Sluice accepts less than it did when the file was uploaded.
        raise TransitionRefused(rejected.message) from rejected


def _count_open(key: ImportKey, failed: int) -> int:
    """How many failed rows have been neither corrected nor left out nor taken up."""
    standing = corrections.get(key)
    return 0 if corrections.has_old_retry(key) else failed - standing.closed - standing.correct


def _once(find: Callable[[], Import | None], start: Callable[[], Import]) -> Import:
    """The import that ``find`` finds, or else the one that ``start`` creates."""
    earlier = find()
    if earlier is not None:
        return earlier
    try:
        return start()
    except (IntegrityError, TransitionRefused):
        # The button was pressed twice, and the other request was faster.
        db.session.rollback()
        earlier = find()
        if earlier is None:
            raise
        return earlier


def _find_retry(origin: RetryOf) -> Import | None:
    """The last import that has retried these rows, if none of them is left."""
    if origin.rows is not RetriedRows.FAILED:
        earlier = lookups.find_retries(origin.parent).get(origin.rows)
        return earlier and earlier.of
    retries = [one for one in lookups.list_takers(origin.parent) if one.of.taken_up_as in {None, TakenUpAs.RETRY}]
    failed = sum(batch.failed for batch in lookups.list_batches(origin.parent))
    return retries[-1].of if retries and not _count_open(origin.parent, failed) else None


#: The beginning of the file name of an import of corrected rows.
_FIXES = "fixes of "
#: The beginning of the file name of a retry, by its rows.
_ROWS_IN_NAMES = {RetriedRows.FAILED: " (failed rows)", RetriedRows.REMAINING: " (remaining rows)"}


def _retry_name(file_name: str, rows: RetriedRows) -> str:
    stem = exports.plain_stem(file_name)
    for addition in _ROWS_IN_NAMES.values():
        stem = stem.removesuffix(addition)
    return f"{stem}{_ROWS_IN_NAMES[rows]}.csv"


def _nothing_to_retry(status: ImportStatus, rows: RetriedRows) -> TransitionRefused:
    if not can_retry(status, rows=1):
        return TransitionRefused("This import has not finished yet, so none of its rows can be retried now.")
    if rows is RetriedRows.FAILED:
        return TransitionRefused("No row of this import failed, so there is nothing to retry.")
    return TransitionRefused("Every row of this import was processed, so there is nothing left to import.")


def pause(seller_id: int, public_id: uuid.UUID) -> None:
    """Pause an import at the end of the running chunks. Raises ImportNotFound or TransitionRefused."""
    key = lookups.get_key(seller_id, public_id)
    if not transitions.request_pause(key):
        raise _refusal(key, "paused")
    is_paused = transitions.settle_pause(key)
    audit.record(Action.PAUSE, seller_id, public_id)
    db.session.commit()
    stop_signal.send(key)
    if is_paused:
        queue.wake_deliverer()


def resume(seller_id: int, public_id: uuid.UUID) -> None:
    """Resume a paused import where it stopped. Raises ImportNotFound or TransitionRefused."""
    key = lookups.get_key(seller_id, public_id)
    if not transitions.resume(key):
        raise _refusal(key, "resumed")
    audit.record(Action.RESUME, seller_id, public_id)
    db.session.commit()
    stop_signal.clear(key)
    queue.send_waiting_jobs()


def terminate(seller_id: int, public_id: uuid.UUID) -> None:
    """Terminate an import; once this returns, no row is written. Raises ImportNotFound or TransitionRefused."""
    key = lookups.get_key(seller_id, public_id)
    # Signalled first, so that the workers are already stopping while this waits for their chunks.
    stop_signal.send(key)
    if not transitions.terminate(key, is_unseen=not audit.is_acting(seller_id)):
        raise _refusal(key, "terminated")
    audit.record(Action.TERMINATE, seller_id, public_id)
    db.session.commit()
    queue.wake_deliverer()


def reopen(seller_id: int, public_id: uuid.UUID) -> int:
    """Retry the given-up batches of an import at their cursors. Returns their number. For operators.

    Raises ImportNotFound or TransitionRefused.
    """
    key = lookups.get_key(seller_id, public_id)
    count = transitions.reopen(key)
    if not count:
        raise _nothing_to_reopen(key)
    audit.record(Action.REOPEN, seller_id, public_id, detail=f"{count} given up")
    db.session.commit()
    queue.send_waiting_jobs()
    return count


def _nothing_to_reopen(key: ImportKey) -> TransitionRefused:
    db.session.rollback()
    current = db.session.get_one(Import, tuple(key))
    if current.is_undo:
        return TransitionRefused("This is an undo. Its seller can undo the rest from the page of its import.")
    if not can_reopen(ImportStatus(current.status), kind=ImportKind(current.kind)):
        return TransitionRefused(
            "Only the given-up batches of an import that is running or has failed are tried again."
        )
    if current.source_removed_at is not None:
        return TransitionRefused("The uploaded file has been deleted, so no batch of it can be tried again.")
    taken_up = lookups.find_retries(key)
    if RetriedRows.WRITTEN in taken_up:
        return TransitionRefused("This import has been undone, so none of its batches can be tried again.")
    if RetriedRows.REMAINING in taken_up:
        return TransitionRefused("Another import already has the remaining rows, so they would be imported twice.")
    return TransitionRefused("No batch of this import was given up.")


def _refusal(key: ImportKey, participle: str) -> TransitionRefused:
    """Why an import cannot be ``participle`` ("paused") right now."""
    db.session.rollback()
    current = db.session.get_one(Import, tuple(key))
    this = f"This {current.kind.lower()}"
    if current.pause_requested_at is not None:
        return TransitionRefused(f"{this} is pausing at the moment, so it cannot be {participle} now.")
    state = {
        ImportStatus.RUNNING: "is running",
        ImportStatus.PAUSED: "is paused",
        ImportStatus.COMPLETED: "is already completed",
        ImportStatus.FAILED: "has already ended",
        ImportStatus.TERMINATED: "has already been terminated",
    }[ImportStatus(current.status)]
    return TransitionRefused(f"{this} {state}, so it cannot be {participle}.")
