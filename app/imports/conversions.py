"""The actions on foreign files: upload a draft, say how to read and map it, convert it, and import what came of it."""

import hashlib
import io
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import IntegrityError

from app import audit
from app.audit import Action
from app.batch_plan import BatchPlan
from app.config import current_settings
from app.csvfile.errors import FileRejected
from app.csvfile.scan import limited
from app.extensions import db
from app.imports import mappings, quotas, retention
from app.imports.creation import RetryOf, find_of_form, form_key_of, insert_once, plain_name
from app.imports.errors import ImportNotFound, KeyTaken, RowsMoved, TransitionRefused
from app.imports.fixes.taking import StoredFile, TakingLines, recognise
from app.imports.foreign.findings import asked_of
from app.imports.foreign.mapping import Mapping, word_of
from app.imports.foreign.origins import FileKeys, keys_of
from app.imports.foreign.reading import detect
from app.imports.foreign.shapes import NotStock, Overrides, Reading
from app.imports.reports import progress
from app.imports.reports.seller_file import SellerFile
from app.jobs import queue
from app.models import Conversion, Import
from app.queries import ConversionKey, ImportKey
from app.queries.imports import conversion_transitions as transitions
from app.queries.imports import conversions as queries
from app.queries.imports import lookups
from app.queries.imports import mappings as mapping_queries
from app.statuses import ConversionStatus, ImportKind, RetriedRows
from app.storage import current_storage
from app.storage.stored_file import open_stored

#: Orders are recognised in this many bytes, before anything is stored.
_HEAD_BYTES = 256 * 1024
#: So many thousandths of the work tell how long the rest takes.
_TELLING = 50

#: Unfinished files of so many hours are listed, and so many of them.
_UNFINISHED_HOURS, _UNFINISHED = 24, 20

_GONE = "The import whose open rows this is about was deleted. Upload the file again."

_STATES = {
    ConversionStatus.DRAFT: "is not converted yet",
    ConversionStatus.QUEUED: "waits to be converted",
    ConversionStatus.RUNNING: "is being converted",
    ConversionStatus.CONVERTED: "is converted already",
    ConversionStatus.FAILED: "could not be converted",
}


class ConversionNotFound(ImportNotFound):
    """The seller has no such conversion, or it was deleted."""


def upload(
    seller_id: int,
    file_name: str,
    pieces: Iterable[bytes],
    *,
    form_key: uuid.UUID | None = None,
    idempotency_key: str | None = None,
) -> Conversion:
    """Store a foreign file while its bytes arrive, and find out how it is read. It is a draft then, without a mapping.

    A form or a request that is sent again with the same file returns the draft that it has created, whatever it has
    become. Ends the session's transaction first. Raises FileRejected (NotStock for orders, Unreadable) for a file that
    cannot be taken, QuotaExceeded, KeyTaken, OSError when it cannot be stored, and whatever ``pieces`` raises; nothing
    is stored then.
    """
    storage = current_storage()
    public_id = uuid.uuid4()
    storage_key = f"{seller_id}/{public_id}.source"
    quotas.check_day(seller_id)
    db.session.rollback()
    digest = hashlib.sha256()
    size = 0
    with storage.create(storage_key) as writer:
        for piece in _watched(pieces):
            digest.update(piece)
            writer.write(piece)
            size += len(piece)
        created = Conversion(
            seller_id=seller_id,
            public_id=public_id,
            form_key=form_key or form_key_of(idempotency_key),
            idempotency_key=idempotency_key,
            file_name=plain_name(file_name),
            storage_key=storage_key,
            file_size=size,
            sha256=digest.digest(),
        )
        made = _find_of_form(created)
        if made is not None:
            return made
        quotas.check_day(seller_id, size=size)
        db.session.rollback()
        writer.commit()
    try:
        with open_stored(storage, storage_key, size) as file:
            created.reading = detect(file, overrides=Overrides()).to_json()
        db.session.add(created)
        audit.record(Action.DRAFT, seller_id, detail=created.file_name)
        db.session.flush()
    except BaseException as error:
        db.session.rollback()
        storage.delete(storage_key)
        if isinstance(error, IntegrityError) and (made := _find_of_form(created)):
            # The same form was sent twice, and the other request was faster.
            return made
        raise
    db.session.commit()
    return created


def _watched(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """``pieces``; raises FileTooLarge, and NotStock as soon as the beginning of a file tells that it holds orders."""
    head: bytearray | None = bytearray()
    for piece in limited(pieces, current_settings().max_upload_bytes):
        if head is not None:
            head += piece
            if len(head) >= _HEAD_BYTES:
                read_beginning(bytes(head))
                head = None
        yield piece
    if head is not None:
        read_beginning(bytes(head))


def read_beginning(head: bytes) -> Reading | None:
    """How a file is read that begins so; None if that is not certain yet. Raises NotStock for orders."""
    try:
        return detect(io.BytesIO(head), overrides=Overrides())
    except NotStock:
        raise
    except FileRejected:
        # The whole file is judged when it is there: a workbook, for one, cannot be read from its beginning.
        return None


def _find_of_form(created: Conversion) -> Conversion | None:
    """The conversion that the form of ``created`` has already created from the same file; see ``creation``."""
    if created.form_key is None:
        return None
    made = queries.find_by_form(created.seller_id, created.form_key)
    if made is None or made.sha256 == created.sha256:
        return made
    if created.idempotency_key is not None:
        raise KeyTaken
    created.form_key = None
    return None


def get(seller_id: int, public_id: uuid.UUID) -> Conversion:
    """The seller's conversion. Raises ConversionNotFound."""
    found = queries.find(seller_id, public_id)
    if found is None:
        raise ConversionNotFound
    return found


def list_unfinished(seller_id: int) -> list[Conversion]:
    """The seller's files of the last day of which nothing was imported or checked yet, the latest first."""
    return queries.find_unfinished(seller_id, hours=_UNFINISHED_HOURS, limit=_UNFINISHED)


def reading_of(conversion: Conversion) -> Reading:
    """How the file of ``conversion`` is read."""
    return Reading.from_json(conversion.reading)


def mapping_of(conversion: Conversion) -> Mapping | None:
    """The mapping of ``conversion``; None if it has none yet."""
    return None if conversion.mapping is None else Mapping.from_json(conversion.mapping)


def guess_of(conversion: Conversion) -> str | None:
    """What the mapping of ``conversion`` takes for granted (``Money.guess``); None: nothing."""
    mapping = mapping_of(conversion)
    return (mapping and mapping.money.guess) or None


def files_of(conversion: Conversion) -> FileKeys:
    """The keys of what the last attempt at ``conversion`` has written, or will write."""
    return keys_of(conversion.seller_id, conversion.public_id, conversion.attempt)


def read_otherwise(seller_id: int, public_id: uuid.UUID, overrides: Overrides) -> Conversion:
    """Read a draft as ``overrides`` say; its mapping is dropped where its columns change.

    Raises ConversionNotFound, TransitionRefused, FileRejected if it cannot be read so, and OSError.
    """
    draft = _draft(seller_id, public_id)
    with open_stored(current_storage(), draft.storage_key, draft.file_size) as file:
        reading = detect(file, overrides=overrides)
    if reading.sheet != reading_of(draft).sheet:
        draft.decides = None
    if reading.columns != reading_of(draft).columns:
        draft.mapping, draft.mapping_name = None, None
    draft.reading = reading.to_json()
    db.session.commit()
    return draft


def set_mapping(seller_id: int, public_id: uuid.UUID, mapping: Mapping, *, name: str | None = None) -> Conversion:
    """Give a draft a mapping; ``name`` is that of the saved one, if it is one.

    A draft that takes just the rows that were open takes all rows from then on, if others are read otherwise, too.
    Raises ConversionNotFound and TransitionRefused.
    """
    draft = _draft(seller_id, public_id)
    if not _just_decides(draft, mapping):
        draft.decides = None
    draft.mapping, draft.mapping_name = mapping.to_json(), name
    db.session.commit()
    return draft


def _just_decides(draft: Conversion, mapping: Mapping) -> bool:
    """Whether a mapping says nothing else of the rows that the import decided by a draft has had."""
    before = _decided_by(draft)
    if before is None:
        return True
    asked = [one for each in (before, draft) for one in asked_of(each.findings)]
    # A finish that one card does not have is that of others.
    words = {
        ("condition" if one.kind == "scale" else one.kind, word_of(one.kind, one.word))
        for one in asked
        # All rows that have the word wait for it.
        if not one.slug.endswith("-not-there")
    }
    now = mapping_of(draft) or Mapping()
    words |= {(kind, word) for kind, answers in now.answers.items() for word in answers}
    return Mapping.from_json(mapping.to_json()).extends(Mapping.from_json(before.mapping), words)


def name_mapping(seller_id: int, public_id: uuid.UUID, name: str) -> None:
    """Record that the mapping of a conversion was saved under this name. Raises ConversionNotFound."""
    get(seller_id, public_id).mapping_name = name
    db.session.commit()


def use_saved(seller_id: int, public_id: uuid.UUID, name: str) -> Conversion:
    """Give a draft the saved mapping with this name.

    Raises ConversionNotFound, mappings.MappingNotFound, TransitionRefused, and FileRejected if the file does not have
    its columns.
    """
    mapping = mappings.load(seller_id, name)
    draft = get(seller_id, public_id)
    columns = reading_of(draft).columns
    if missing := mappings.find_missing(mapping, columns):
        raise FileRejected(
            f"The file has no column “{missing[0]}”, which the mapping “{name}” uses. Match its columns again."
        )
    return set_mapping(seller_id, public_id, replace(mapping, columns=columns), name=name)


def bring(
    seller_id: int,
    file_name: str,
    pieces: Iterable[bytes],
    *,
    mapping_name: str,
    kind: ImportKind,
    idempotency_key: str | None = None,
) -> Conversion:
    """Upload a foreign file that is to be converted with a saved mapping and then imported or checked.

    The caller has it converted (``queue.send_waiting_jobs``, or ``conversion_job.run`` at once). A request that is
    sent again with the same ``idempotency_key`` returns what it has created. Raises what ``upload`` raises, and
    FileRejected if there is no such mapping or the file lacks its columns; nothing is stored then.
    """
    try:
        mappings.load(seller_id, mapping_name)
    except mappings.MappingNotFound:
        raise FileRejected(f"There is no saved mapping “{mapping_name}”.") from None
    made = upload(seller_id, file_name, pieces, idempotency_key=idempotency_key)
    if made.mapping_name is not None:
        started = queries.find_import(ConversionKey(seller_id, made.id))
        if (made.mapping_name, started.kind if started else made.start_as) != (mapping_name, kind):
            raise KeyTaken
        return made
    try:
        use_saved(seller_id, made.public_id, mapping_name)
    except FileRejected:
        delete(seller_id, made.public_id)
        raise
    return convert(seller_id, made.public_id, start_as=kind, in_background=False)


def find_behind(seller_id: int, import_id: str) -> Conversion | None:
    """The conversion that the file of the seller's import with this id comes from, if it is one."""
    try:
        public_id = uuid.UUID(import_id)
    except ValueError:
        return None
    return queries.find_of_imports(seller_id, [public_id]).get(public_id)


def find_import(conversion: Conversion) -> Import | None:
    """The newest import or check of a converted file."""
    return queries.find_import(ConversionKey(conversion.seller_id, conversion.id))


def _draft(seller_id: int, public_id: uuid.UUID) -> Conversion:
    """The seller's draft, locked; a conversion that is over becomes a draft again, or gives rise to another.

    Raises ConversionNotFound, and TransitionRefused while it is converted.
    """
    found = get(seller_id, public_id)
    key = ConversionKey(seller_id, found.id)
    transitions.back_to_draft(key)
    draft = queries.lock(key)
    if draft is None:
        raise ConversionNotFound
    if draft.status != ConversionStatus.DRAFT:
        refused = _refusal(draft, "Cancel that first, then change it." if draft.used_at is None else "")
        db.session.rollback()
        raise refused
    return draft


def _refusal(conversion: Conversion, advice: str) -> TransitionRefused:
    if conversion.used_at is not None:
        return TransitionRefused("This file was imported or checked as it is. Make a copy of it to change anything.")
    return TransitionRefused(f"This file {_STATES[ConversionStatus(conversion.status)]}. {advice}".rstrip())


def copy(seller_id: int, public_id: uuid.UUID, *, decide: bool = False) -> Conversion:
    """A new draft of the same file, read and mapped as before, so that what was imported or checked can be changed.

    With ``decide`` it takes just the rows that its import has left out or open, if there is one. Raises
    ConversionNotFound, and TransitionRefused if the file has been deleted; see ``explain_undecidable``, too.
    """
    found = get(seller_id, public_id)
    before = queries.lock(ConversionKey(seller_id, found.id))
    if before is None or before.source_removed_at is not None:
        db.session.rollback()
        raise TransitionRefused("The uploaded file has been deleted. Upload it again.")
    decides = before.decides
    if decide and (hindrance := explain_undecidable(before)):
        db.session.rollback()
        raise TransitionRefused(hindrance)
    if imports := queries.list_imports(ConversionKey(seller_id, before.id)):
        decides = decides if lookups.is_undone(ImportKey(seller_id, imports[0].id)) else before.id
    made = _of_same_file(before, decides=decides if decide else None)
    db.session.add(made)
    db.session.commit()
    return made


def _of_same_file(before: Conversion, **others: Any) -> Conversion:
    """A new conversion of the file of ``before``, read and mapped alike, with ``others`` of its fields."""
    same = ("seller_id", "file_name", "storage_key", "file_size", "sha256", "reading", "mapping", "mapping_name")
    return Conversion(**{field: getattr(before, field) for field in same}, **others)


def find_import_decided(conversion: Conversion) -> Import | None:
    """The import whose rows that were left out or open are all that a conversion takes; None if it takes all rows."""
    if conversion.decides is None:
        return None
    imports = queries.list_imports(ConversionKey(conversion.seller_id, conversion.decides))
    return imports[0] if imports else None


def explain_undecidable(conversion: Conversion) -> str | None:
    """Why the rows that the import of a conversion has left open cannot be decided now, as a sentence; None: they can.

    As long as rows of that import may still be written, they would set the quantities of listings back.
    """
    key = ConversionKey(conversion.seller_id, conversion.id)
    if lookups.is_decided(*key):
        return "The rows that were open are in another import. Match the file again instead."
    keys = [ImportKey(key.seller_id, one.id) for one in queries.list_imports(key)]
    hindrances = (progress.explain_unsettled(one) for one in keys if not lookups.is_undone(one))
    return next(filter(None, hindrances), None)


def check_decided(conversion: Conversion) -> None:
    """Raise TransitionRefused if a conversion takes just rows that were open, and they cannot be imported by it now.

    The caller has locked the file, so that no other imports them meanwhile.
    """
    if conversion.decides is None:
        return
    decided = before = _decided_by(conversion)
    if decided is None:
        raise TransitionRefused(_GONE)
    while before:
        imports = queries.list_imports(ConversionKey(before.seller_id, before.id))
        if imports and lookups.is_undone(ImportKey(before.seller_id, imports[0].id)):
            raise TransitionRefused(f"The import “{imports[0].file_name}” was undone. Match the file again instead.")
        before = _decided_by(before)
    if hindrance := explain_undecidable(decided):
        raise TransitionRefused(hindrance)


def _decided_by(conversion: Conversion) -> Conversion | None:
    if conversion.decides is None:
        return None
    return db.session.get(Conversion, (conversion.seller_id, conversion.decides))


def find_taken(conversion: Conversion) -> NDArray[np.int64] | None:
    """The lines of the rows that a conversion takes; None if it takes all. Raises FileRejected and OSError."""
    if conversion.decides is None:
        return None
    before = _decided_by(conversion)
    if before is None:
        raise FileRejected(_GONE)
    try:
        left, taken = SellerFile(before).origins.find_left(), find_taken(before)
    except FileNotFoundError:
        raise FileRejected("Which rows were open is no longer stored. Upload the file again.") from None
    return left if taken is None else np.intersect1d(left, taken)


def convert(
    seller_id: int, public_id: uuid.UUID, *, start_as: ImportKind | None = None, in_background: bool = True
) -> Conversion:
    """Queue a draft to be converted, and then to be started as ``start_as``. Pressed twice, it is converted once.

    With ``in_background`` false, the caller runs ``conversion_job.run`` itself. Raises ConversionNotFound and
    TransitionRefused.
    """
    found = get(seller_id, public_id)
    if not transitions.enqueue(ConversionKey(seller_id, found.id), start_as=start_as):
        db.session.rollback()
        now = get(seller_id, public_id)
        if now.status == ConversionStatus.DRAFT:
            raise TransitionRefused("It is not decided yet what the columns of this file are.")
        if now.status == ConversionStatus.FAILED:
            raise _refusal(now, "Change how it is read or mapped, or upload another.")
        return now
    db.session.commit()
    if in_background:
        queue.send_waiting_jobs()
    return get(seller_id, public_id)


def cancel(seller_id: int, public_id: uuid.UUID) -> None:
    """Stop a conversion; nothing of it stays, and the file is a draft again.

    Raises ConversionNotFound and TransitionRefused.
    """
    found = get(seller_id, public_id)
    if not transitions.cancel(ConversionKey(seller_id, found.id)):
        db.session.rollback()
        raise _refusal(get(seller_id, public_id), "There is nothing to cancel.")
    db.session.commit()


def start(
    seller_id: int,
    public_id: uuid.UUID,
    kind: ImportKind,
    *,
    form_key: uuid.UUID | None = None,
    refuse_repeated: bool = False,
) -> Import:
    """Import or check a converted file. A form that is sent again returns the import that it has created.

    Raises ConversionNotFound, TransitionRefused, QuotaExceeded, ImportedBefore if ``refuse_repeated`` and an earlier
    import had the same foreign file, and FileRejected if it has failed rows that were imported in another way.
    """
    found = get(seller_id, public_id)
    _check_startable(found)
    attempt, taking = found.attempt, None
    if kind is ImportKind.IMPORT and find_of_form(_describe(found, kind, form_key)) is None:
        taking = _recognise(found)
    conversion = queries.lock(ConversionKey(seller_id, found.id))
    if conversion is None:
        raise ConversionNotFound
    try:
        _check_startable(conversion)
        if taking and conversion.attempt != attempt:
            raise RowsMoved
        scan = conversion.scan or {}
        quotas.check_day(seller_id, rows=conversion.lines, size=scan["size"])
        created = _describe(conversion, kind, form_key)
        origin = RetryOf(taking.parent, RetriedRows.FAILED, taking) if taking else None
        plans = [BatchPlan(*plan) for plan in scan["batches"]]
        if kind is ImportKind.IMPORT:
            lookups.lock_file(seller_id, conversion.sha256)
            if find_of_form(created) is None:
                check_decided(conversion)
        started = insert_once(created, plans, refuse_repeated=refuse_repeated and not conversion.decides, origin=origin)
        queries.mark_used(ConversionKey(seller_id, conversion.id))
        if conversion.mapping_name:
            mapping_queries.mark_used(seller_id, conversion.mapping_name)
    except BaseException:
        db.session.rollback()
        raise
    db.session.commit()
    if started is created:
        queue.send_waiting_jobs()
    return started


def _describe(conversion: Conversion, kind: ImportKind, form_key: uuid.UUID | None) -> Import:
    """The import or check of a converted file."""
    scan = conversion.scan or {}
    return Import(
        seller_id=conversion.seller_id,
        kind=kind,
        form_key=form_key,
        idempotency_key=conversion.idempotency_key if form_key == conversion.form_key else None,
        file_name=conversion.file_name,
        storage_key=files_of(conversion).converted,
        file_size=scan["size"],
        sha256=conversion.sha256,
        header=scan["header"],
        total=conversion.lines,
        invalid=scan["invalid"],
        warnings=scan["warnings"],
        conversion_id=conversion.id,
    )


def _recognise(conversion: Conversion) -> TakingLines | None:
    """What takes up the failed rows that are in a converted file. Raises FileRejected; see ``taking.recognise``."""
    scan, key = conversion.scan or {}, files_of(conversion).converted
    stored = StoredFile(key, scan["header"], scan["size"], conversion.lines)
    taking = recognise(conversion.seller_id, stored, SellerFile(conversion))
    db.session.rollback()
    return taking


def estimate_seconds_left(conversion: Conversion) -> float | None:
    """How long a running conversion still takes, if it goes on as fast; None as long as that cannot be told."""
    if conversion.status != ConversionStatus.RUNNING or conversion.done < _TELLING or conversion.heartbeat_at is None:
        return None
    seconds = (conversion.heartbeat_at - conversion.updated_at).total_seconds()
    return seconds * (1000 - conversion.done) / conversion.done


def _check_startable(conversion: Conversion) -> None:
    if conversion.status != ConversionStatus.CONVERTED:
        raise _refusal(conversion, "Convert it first.")
    if conversion.source_removed_at is not None:
        raise TransitionRefused("The uploaded file has been deleted. Upload it again.")
    if (conversion.scan or {}).get("decides") != conversion.decides:
        raise TransitionRefused(
            "An earlier release has worked through the whole file, not just through what was open. Change what is "
            "matched, and it is worked through again."
        )
    if not conversion.lines:
        raise TransitionRefused(
            "No row of this file becomes a row of an import: all of them are left out or not decided yet."
        )


def start_wanted(key: ConversionKey) -> Import | None:
    """Start a converted file as its seller wanted it to be; what hinders that is noted. None if nothing was started."""
    conversion = queries.lock(key)
    if conversion is None or conversion.start_as is None or conversion.used_at is not None:
        db.session.rollback()
        return None
    kind, form_key = ImportKind(conversion.start_as), conversion.form_key or conversion.public_id
    try:
        return start(key.seller_id, conversion.public_id, kind, form_key=form_key)
    except (TransitionRefused, FileRejected, KeyTaken) as refused:
        queries.note_hindrance(key, str(refused) or "Its Idempotency-Key was used for another file before.")
    except FileNotFoundError:
        queries.note_hindrance(key, "The converted file is no longer in the storage. Upload it again.")
    db.session.commit()
    return None


def delete(seller_id: int, public_id: uuid.UUID) -> None:
    """Delete a draft, or a converted file that was never imported or checked, and what is stored of it.

    Raises ConversionNotFound, TransitionRefused, and OSError if it cannot be removed from the storage at once.
    """
    found = get(seller_id, public_id)
    if found.used_at is not None:
        raise TransitionRefused("This file was imported or checked. Delete the import or the check.")
    transitions.cancel(ConversionKey(seller_id, found.id))
    if not retention.remove_conversion(found, queries.let_go):
        raise ConversionNotFound


def derive(parent: ImportKey, out_lines: Iterable[int]) -> int | None:
    """What tells where the rows of a new import come from that has only these lines of ``parent``, in this order.

    Returns the id of its conversion; None if the file of ``parent`` was uploaded in the import format. Retention
    removes it unless an import is started with it. Ends the session's transaction. Raises OSError.
    """
    before = queries.find_of_import(parent)
    if before is None:
        return None
    origins = SellerFile(before).origins
    made = _of_same_file(
        before,
        public_id=uuid.uuid4(),
        status=ConversionStatus.CONVERTED,
        attempt=1,
        text_key=before.text_key,
        head_size=before.head_size,
        source_removed_at=before.source_removed_at,
        scan={"is_part": True},
    )
    files = files_of(made)
    storage = current_storage()
    with storage.create(files.origins) as to_origins, storage.create(files.added) as to_added:
        made.lines = made.rows = made.converted = origins.write_part(out_lines, to_origins, to_added)
        to_origins.commit()
        to_added.commit()
    db.session.rollback()
    db.session.add(made)
    db.session.commit()
    return made.id
