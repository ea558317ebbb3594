"""View model of an import, its batches and its related imports, shared by all pages."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.config import current_settings
from app.csvfile.warn import Warned, read_stored
from app.import_fields import ImportState
from app.imports.reports import seller_file
from app.imports.reports.seller_file import SellerFile
from app.queries import ImportKey
from app.queries.imports import lookups
from app.queries.imports.corrections import NOTHING_DONE, FailedAgain, Standing
from app.queries.imports.lookups import ANY, ImportFilter
from app.queries.imports.throughput import RecordedBatch
from app.statuses import (
    GIVEN_UP_BATCH_STATUS,
    BatchStatus,
    ImportKind,
    ImportStatus,
    RetriedRows,
    TakenUpAs,
    can_pause,
    can_resume,
    can_retry,
    can_terminate,
    can_undo,
)

#: The imports of one chain of retries that are shown.
_MOST_IN_CHAIN = 20
#: The imports of one chain of retries that can still write rows.
_MOST_IN_FAMILY = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress(ImportState):
    """View model of an import."""

    key: ImportKey
    #: In bytes.
    file_size: int
    #: The header line of its file; see ``csvfile.header.layout_of``.
    header: str
    #: A pause was requested, and some batch is still finishing its chunk.
    is_pausing: bool
    #: Rows that the upload check found invalid; they are, or will be, among the failed.
    invalid: int
    #: Which rows of another import it retries; None for an uploaded file.
    retry_of: RetriedRows | None
    #: The Idempotency-Key of the request that created it.
    idempotency_key: str | None
    updated_at: datetime
    #: What its seller has noted about it; empty if nothing.
    note: str = ""
    #: Whether its seller has marked it as dealt with.
    is_dealt_with: bool = False
    #: How far its failed rows are corrected.
    fixed: Standing = NOTHING_DONE
    #: In which imports its failed rows have failed again.
    failed_again: Sequence[FailedAgain] = ()
    #: Whether all that could be undone of it is; None: it has no undo.
    is_undone: bool | None = None
    #: How it has taken up failed rows of its parent; None where it has none, or by a release that did not record it.
    taken_up_as: TakenUpAs | None = None
    #: The id of the import whose rows it has, for an import that is there.
    parent_id: int | None = None
    #: The conversion that its file comes from, if it is a foreign one; and the rows of that file that were left out of
    #: it, those of them that nobody decided about included.
    conversion: uuid.UUID | None = None
    left_out: int = 0
    undecided: int = 0
    #: The import that has rows which were left out or undecided, since they were decided; none is undecided then.
    decided_as: uuid.UUID | None = None
    #: Whether the file, and the failed rows if any (of an undo, what it has kept), are still within their retention.
    has_source: bool = True
    has_errors: bool = True
    #: The warnings of the upload check, about valid and invalid rows.
    warnings: list[Warned] = field(default_factory=list)

    @property
    def rows_word(self) -> str:
        """What its total counts: rows, or listings."""
        return "listing" if self.is_undo else "row"

    @property
    def noun(self) -> str:
        """The word for it in a sentence."""
        return self.kind.lower()

    @property
    def short_id(self) -> str:
        """The beginning of the public id, enough to tell downloaded files apart by their names."""
        return self.public_id.hex[:8]

    @property
    def closed(self) -> int:
        """The number of failed rows that are left out or taken up, as far as that was recorded."""
        return self.fixed.closed

    @property
    def open_again(self) -> int:
        """The number of failed rows that have failed again in another import, and are not left out there."""
        return sum(each.open for each in self.failed_again)

    @property
    def left_out_later(self) -> int:
        """The number of failed rows that have failed again in another import, and are left out there."""
        return sum(each.left_out for each in self.failed_again)

    @property
    def imported_later(self) -> int:
        """The number of failed rows that others have taken up, without those that have failed again."""
        return self.fixed.taken - self.open_again - self.left_out_later

    @property
    def dealt_with(self) -> int:
        """The number of failed rows that need no more attention: closed, and not failed again."""
        return self.closed - self.open_again

    @property
    def fixes_key(self) -> uuid.UUID:
        """The form key of the button that imports its corrected rows, the same until anything about them changes."""
        return uuid.uuid5(self.public_id, str(self.fixed.version))

    @property
    def again_key(self) -> uuid.UUID:
        """The form key of the button that imports a file again which this undo has undone."""
        return uuid.uuid5(self.public_id, "again")

    @property
    def can_import_again(self) -> bool:
        """Whether it is undone and its file stored; what it had taken up is imported again from where it failed."""
        return bool(self.is_undone) and self.has_source and self.taken_up_as is None

    @property
    def percent(self) -> int:
        """How much is processed; 100 only when all is."""
        return self.processed * 100 // self.total

    @property
    def is_moving(self) -> bool:
        """Whether the page should poll."""
        return self.status is ImportStatus.RUNNING

    @property
    def can_pause(self) -> bool:
        """Whether Pause is offered."""
        return can_pause(self.status, pausing=self.is_pausing)

    @property
    def can_resume(self) -> bool:
        """Whether Resume is offered."""
        return can_resume(self.status)

    @property
    def can_terminate(self) -> bool:
        """Whether Terminate is offered."""
        return can_terminate(self.status)


@dataclass(frozen=True, slots=True)
class RelatedImports:
    """The imports related to an import."""

    #: The import whose rows it retries.
    parent: ImportProgress | None
    #: Which of its rows have been retried, and by which import: the last one.
    retries: dict[RetriedRows, ImportProgress]
    #: The imports that have taken up its rows, in order.
    takers: list[ImportProgress]
    #: The number of failed rows that have been taken up or left out.
    closed: int
    #: Which of its rows can be retried, or for a check, imported.
    can_retry: list[RetriedRows]
    #: Its latest undo, or None.
    undo: ImportProgress | None = None
    #: What its undos have kept, and none of them has undone since.
    kept: int = 0
    #: Whether it, or what its undo has left of it, can be undone now.
    can_undo: bool = False

    def leaves_open(self, one: ImportProgress) -> bool:
        """Whether ``one`` has failed in part, and not all of that has been taken up yet, or has undecided rows."""
        is_followed = any(heir.taken_up_as is None for heir in self.retries.values()) or 0 < one.failed <= self.closed
        is_undecided = one.undecided and one.finished_at and self.undo is None
        has_open = (one.status is ImportStatus.FAILED and not is_followed) or is_undecided
        return bool(has_open) and not one.is_check and not one.is_dealt_with

    def is_all_undone(self, one: ImportProgress) -> bool:
        """Whether nothing that ``one`` did is live any more."""
        return bool(one.is_undone) and self.undo is not None and not self.kept

    def can_fix(self, one: ImportProgress) -> bool:
        """Whether failed rows of ``one`` can be corrected, or wait to be imported."""
        is_over = can_retry(one.status, rows=one.failed - self.closed)
        return is_over and one.kind is ImportKind.IMPORT and one.has_errors


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """View model of a batch: what a page shows of it and no more, because pages remember how each was drawn."""

    number: int
    first_line: int
    status: BatchStatus
    total: int
    successful: int
    failed: int
    updated_at: datetime
    #: Why it was given up, or what it waits for, in a sentence; otherwise None.
    reason: str | None

    @property
    def kind(self) -> str:
        """Its status for display, in which a batch that completed with failed rows has a separate one."""
        if self.status is BatchStatus.COMPLETED and self.failed:
            return "with-failed"
        return "given-up" if self.status is GIVEN_UP_BATCH_STATUS else self.status.lower()

    @property
    def percent(self) -> int:
        """How much is processed; 100 only when all is."""
        return (self.successful + self.failed) * 100 // self.total


def get(seller_id: int, public_id: uuid.UUID) -> ImportProgress:
    """The seller's import. Raises ImportNotFound, also for another seller's import."""
    return _describe(lookups.get_with_counters(seller_id, public_id))


def get_related(one: ImportProgress) -> RelatedImports:
    """The imports that are related to this one, and which of its rows can still be retried."""
    return list_related([one])[0]


def list_related(imports: Sequence[ImportProgress]) -> list[RelatedImports]:
    """The same for several imports of one seller, in their order."""
    if not imports:
        return []
    parent_ids = {one.parent_id for one in imports if one.parent_id is not None}
    found = lookups.list_relatives(imports[0].key.seller_id, [one.key.import_id for one in imports], parent_ids)
    relatives = {other.key.import_id: other for other in map(_describe, found)}
    return [_get_related(one, relatives) for one in imports]


def list_kin(one: ImportProgress, related: RelatedImports) -> list[ImportProgress]:
    """All imports of one file and of what was left of it, with their undos, oldest first."""
    if one.is_moving or one.kind is ImportKind.UNDO or not (related.parent or related.takers):
        return [related.undo] if related.undo else []
    return [*map(_describe, lookups.list_kin(one.key, limit=_MOST_IN_CHAIN))]


def list_chain(kin: Sequence[ImportProgress], related: RelatedImports) -> list[ImportProgress]:
    """The imports among the ``kin`` of one; none where ``related`` is all there is."""
    chain = [each for each in kin if each.kind is not ImportKind.UNDO]
    return chain if len(chain) > 1 + bool(related.parent) + len(related.takers) else []


def explain_unsettled(key: ImportKey) -> str | None:
    """What must be done before no row of an import can be written any more, as a sentence; None: nothing.

    Its rows may be in retries and corrections of it, and in those of these.
    """
    family = {key.import_id}
    imports = []
    # One comes after that whose rows it has.
    for one in map(_describe, lookups.list_kin(key, limit=_MOST_IN_FAMILY)):
        if one.kind is ImportKind.IMPORT and not family.isdisjoint({one.key.import_id, one.parent_id}):
            family.add(one.key.import_id)
            imports.append(one)
    for one, related in zip(imports, list_related(imports), strict=True):
        if one.finished_at is None:
            return f"The import “{one.name}” has not finished yet. Let it finish, then decide what is open."
        if RetriedRows.REMAINING in related.can_retry:
            return f"Import the remaining rows of “{one.name}” first, then decide what is open."
        if related.can_fix(one):
            return f"Correct or leave out the failed rows of “{one.name}” first, then decide what is open."
    return None


def _get_related(one: ImportProgress, relatives: Mapping[int, ImportProgress]) -> RelatedImports:
    parent = relatives.get(one.parent_id) if one.parent_id is not None else None
    children = [other for other in relatives.values() if other.parent_id == one.key.import_id]
    takers = [child for child in children if not child.is_undo]
    undos = [child for child in children if child.is_undo]
    retries = {child.retry_of: child for child in takers if child.retry_of}
    # A retry by a release that did not record which rows it took up has all of them.
    has_all = any(child.retry_of is RetriedRows.FAILED and child.taken_up_as is None for child in takers)
    closed = one.failed if has_all else one.closed
    counts: dict[RetriedRows, int]
    if one.is_undo:
        counts = {}
    elif one.is_check:
        # A check has written no row, so that there is nothing to retry, only to import.
        counts = {RetriedRows.ALL: one.total if one.has_source else 0}
    else:
        counts = {
            RetriedRows.FAILED: one.failed - closed - one.fixed.correct if one.has_errors else 0,
            RetriedRows.REMAINING: one.not_processed if one.has_source else 0,
        }
    kept = _last_pass(undos)
    return RelatedImports(
        parent=parent,
        retries=retries,
        takers=takers,
        closed=closed,
        can_retry=[
            rows
            for rows, count in counts.items()
            if (rows not in retries or rows is RetriedRows.FAILED) and can_retry(one.status, rows=count)
        ],
        undo=undos[-1] if undos else None,
        kept=sum(each.unchanged for each in kept),
        can_undo=can_undo(one.status, kind=one.kind, rows=one.created + one.updated)
        and not _is_past(undo_until(one.finished_at))
        and (not undos or (undos[-1].finished_at is not None and _has_left(undos[-1], kept))),
    )


def _last_pass(undos: Sequence[ImportProgress]) -> Sequence[ImportProgress]:
    """Of the undos of an import those that have gone over the same, last: see ``queries.imports.undo``."""
    ends = [at for at, each in enumerate(undos[:-1], 1) if not each.not_processed]
    return undos[ends[-1] :] if ends else undos


def _has_left(latest: ImportProgress, last_pass: Sequence[ImportProgress]) -> bool:
    """Whether the undo ``latest``, which is over, has left a rest, or listings that it is known to have kept."""
    has_kept = any(each.unchanged for each in last_pass) and all(each.has_errors for each in last_pass)
    return latest.not_processed > 0 or has_kept


def undo_until(finished_at: datetime | None) -> datetime | None:
    """Until when an import that ended at ``finished_at`` can be undone; None: always."""
    days = current_settings().keep_undo_days
    return finished_at + timedelta(days=days) if days and finished_at else None


def _is_past(moment: datetime | None) -> bool:
    return moment is not None and moment < datetime.now(UTC)


def list_page(
    seller_id: int, *, limit: int, before: int | None = None, wanted: ImportFilter = ANY
) -> list[ImportProgress]:
    """The seller's imports that match ``wanted``, newest first.

    ``before`` is the ``key.import_id`` of the last one on the previous page.
    """
    return [*map(_describe, lookups.list_with_counters(seller_id, limit=limit, before=before, wanted=wanted))]


def list_by_id(seller_id: int, ids: Collection[int]) -> list[ImportProgress]:
    """The seller's imports with these ids, oldest first."""
    return [*map(_describe, lookups.list_relatives(seller_id, (), ids))] if ids else []


def list_same_file(key: ImportKey, *, limit: int) -> tuple[int, list[ImportProgress]]:
    """The number of the seller's imports of the same file, this one included but no check, and the newest of them."""
    sha256 = lookups.get_source(key).sha256
    newest = lookups.list_same_file(key.seller_id, sha256, limit=limit)
    return lookups.count_same_file(key.seller_id, sha256), [_describe(found) for found in newest]


def find_own_file(one: ImportProgress) -> SellerFile | None:
    """The foreign file behind an import; None if its file was uploaded in the import format."""
    return seller_file.find(one.key) if one.conversion else None


def list_batches(one: ImportProgress, recorded: Sequence[RecordedBatch]) -> list[BatchProgress]:
    """All batches of ``one`` in the order of the file, with the lines of the file that the seller has uploaded."""
    lines, own = [batch.first_line for batch in recorded], find_own_file(one)
    if own and len(own.first_lines) == len(lines):
        lines = own.first_lines
    elif own:
        found = own.find_lines(lines)
        lines = [found.get(line, line) for line in lines]
    return [
        BatchProgress(
            number=batch.number,
            first_line=line,
            status=BatchStatus(batch.status),
            total=batch.total,
            successful=batch.successful,
            failed=batch.failed,
            updated_at=batch.updated_at,
            reason=batch.reason,
        )
        for batch, line in zip(recorded, lines, strict=True)
    ]


def _describe(found: lookups.WithCounters) -> ImportProgress:
    one, counters = found.of, found._asdict()
    del counters["of"]
    if found.decided_as:
        counters["undecided"] = 0
    return ImportProgress(
        key=ImportKey.of(one),
        public_id=one.public_id,
        file_name=one.file_name,
        file_size=one.file_size,
        header=one.header,
        kind=ImportKind(one.kind),
        status=ImportStatus(one.status),
        is_pausing=one.pause_requested_at is not None,
        total=one.total,
        invalid=one.invalid,
        warnings=read_stored(one.warnings),
        given_name=one.name or "",
        note=one.note or "",
        is_dealt_with=one.dealt_with_at is not None,
        parent_id=one.parent_id,
        retry_of=RetriedRows(one.retried_rows) if one.retried_rows else None,
        taken_up_as=TakenUpAs(one.taken_up_as) if one.taken_up_as else None,
        idempotency_key=one.idempotency_key,
        created_at=one.created_at,
        finished_at=one.finished_at,
        has_source=one.source_removed_at is None,
        has_errors=one.errors_removed_at is None or not (found.unchanged if one.is_undo else found.failed),
        **counters,
    )
