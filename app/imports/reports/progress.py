"""What there is to see of an import: the one description that every page draws."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime

from app.csvfile.warn import Warned, read_stored
from app.imports.errors import ImportNotFound
from app.models import Batch
from app.queries import ImportKey
from app.queries.imports import lookups
from app.queries.imports.lookups import ANY, Filter
from app.statuses import (
    GIVEN_UP_BATCH_STATUS,
    BatchStatus,
    ImportKind,
    ImportStatus,
    RetriedRows,
    can_pause,
    can_resume,
    can_retry,
    can_terminate,
)


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """An import as it is shown."""

    key: ImportKey
    public_id: uuid.UUID
    file_name: str
    #: In bytes.
    file_size: int
    kind: ImportKind
    status: ImportStatus
    #: Pause was pressed and some batch is still at the end of its chunk.
    is_pausing: bool
    total: int
    created: int
    updated: int
    #: Rows that found their listing as they want it; it was not written.
    unchanged: int
    failed: int
    #: Rows that the upload check found wrong; they will be, or are, among the failed.
    invalid: int
    #: Which rows of another import it takes up; None for a file that somebody uploaded.
    retry_of: RetriedRows | None
    #: The Idempotency-Key of the request that has made it.
    idempotency_key: str | None
    created_at: datetime
    #: When the first row was worked on; None before.
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    #: Whether the file is young enough to be kept still, and whether the failed rows are, where there are any.
    has_source: bool = True
    has_errors: bool = True
    #: What looked wrong in its rows when they arrived, whether they could be imported or not.
    warnings: list[Warned] = field(default_factory=list)

    @property
    def is_check(self) -> bool:
        """Whether it writes no listing, and only says what an import of its file would do."""
        return self.kind is ImportKind.CHECK

    @property
    def noun(self) -> str:
        """What it is called in a sentence."""
        return self.kind.lower()

    @property
    def short_id(self) -> str:
        """The beginning of the public id: enough for people to tell one file from another by its name."""
        return self.public_id.hex[:8]

    @property
    def successful(self) -> int:
        """Rows that did what they asked for."""
        return self.created + self.updated + self.unchanged

    @property
    def processed(self) -> int:
        """Rows that are through, well or badly."""
        return self.successful + self.failed

    @property
    def not_processed(self) -> int:
        """Rows that were not looked at yet, or never will be."""
        return self.total - self.processed

    @property
    def percent(self) -> int:
        """How much is processed; 100 only when all is."""
        return self.processed * 100 // self.total

    @property
    def is_moving(self) -> bool:
        """Whether the page should look again soon."""
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
class Family:
    """What an import has to do with others."""

    #: Whose rows it takes up, and which.
    parent: ImportProgress | None
    of_parent: RetriedRows | None
    #: Which of its own rows have been taken up, and by which import.
    retries: dict[RetriedRows, ImportProgress]
    #: Which of its rows another one is offered for: Retry, or for a check the import itself.
    can_retry: list[RetriedRows]


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """A batch as it is shown."""

    number: int
    first_line: int
    status: BatchStatus
    total: int
    successful: int
    failed: int
    updated_at: datetime
    #: Why it was given up, in a sentence; None for a batch that was not.
    reason: str | None

    @property
    def kind(self) -> str:
        """Its status as it is drawn: a batch that completed with failed rows is one of its own."""
        if self.status is BatchStatus.COMPLETED and self.failed:
            return "with-failed"
        return "given-up" if self.is_given_up else self.status.lower()

    @property
    def is_given_up(self) -> bool:
        """Whether it failed too often, with rows left that were not processed."""
        return self.status is GIVEN_UP_BATCH_STATUS

    @property
    def processed(self) -> int:
        """Rows that are through, well or badly."""
        return self.successful + self.failed

    @property
    def percent(self) -> int:
        """How much is processed; 100 only when all is."""
        return self.processed * 100 // self.total


def get(seller_id: int, public_id: uuid.UUID) -> ImportProgress:
    """The seller's import. Raises ImportNotFound, for another seller's as well."""
    found = lookups.find_with_counters(seller_id, public_id)
    if found is None:
        raise ImportNotFound
    return _describe(found)


def get_family(one: ImportProgress) -> Family:
    """The imports that are linked to this one, and which of its rows another could still take up."""
    parent = lookups.find_parent(one.key) if one.retry_of else None
    retries = {rows: _describe(child) for rows, child in lookups.find_retries(one.key).items()}
    if one.is_check:
        # Nothing has come of any row yet, so that there are no rows to try again.
        counts = {RetriedRows.ALL: one.total if one.has_source else 0}
    else:
        counts = {
            RetriedRows.FAILED: one.failed if one.has_errors else 0,
            RetriedRows.REMAINING: one.not_processed if one.has_source else 0,
        }
    return Family(
        parent=_describe(parent) if parent else None,
        of_parent=one.retry_of,
        retries=retries,
        can_retry=[rows for rows, count in counts.items() if rows not in retries and can_retry(one.status, rows=count)],
    )


def list_page(seller_id: int, *, limit: int, before: int | None = None, wanted: Filter = ANY) -> list[ImportProgress]:
    """The seller's imports that are ``wanted``, newest first.

    ``before`` is the ``key.import_id`` of the last one on the page before.
    """
    found = lookups.list_with_counters(seller_id, limit=limit, before=before, wanted=wanted)
    return [_describe(one) for one in found]


def list_same_file(key: ImportKey, *, limit: int) -> tuple[int, list[ImportProgress]]:
    """How many imports of the seller's have had the bytes of this one, itself among them, and the newest of them.

    Checks are none of them.
    """
    sha256 = lookups.get_sha256(key)
    newest = lookups.list_same_file(key.seller_id, sha256, limit=limit)
    return lookups.count_same_file(key.seller_id, sha256), [_describe(found) for found in newest]


def list_batches(key: ImportKey) -> list[BatchProgress]:
    """The batches of an import in the order of the file."""
    return [_describe_batch(batch) for batch in lookups.list_batches(key)]


def _describe(found: lookups.WithCounters) -> ImportProgress:
    one = found.of
    return ImportProgress(
        key=ImportKey(one.seller_id, one.id),
        public_id=one.public_id,
        file_name=one.file_name,
        file_size=one.file_size,
        kind=ImportKind(one.kind),
        status=ImportStatus(one.status),
        is_pausing=one.pause_requested_at is not None,
        total=one.total,
        created=found.created,
        updated=found.updated,
        unchanged=found.unchanged,
        failed=found.failed,
        invalid=one.invalid,
        warnings=read_stored(one.warnings),
        retry_of=RetriedRows(one.retried_rows) if one.retried_rows else None,
        idempotency_key=one.idempotency_key,
        created_at=one.created_at,
        started_at=found.started_at,
        updated_at=found.updated_at,
        finished_at=one.finished_at,
        has_source=one.source_removed_at is None,
        has_errors=one.errors_removed_at is None or not found.failed,
    )


def _describe_batch(batch: Batch) -> BatchProgress:
    return BatchProgress(
        number=batch.number,
        first_line=batch.first_line,
        status=BatchStatus(batch.status),
        total=batch.total,
        successful=batch.created + batch.updated + batch.unchanged,
        failed=batch.failed,
        updated_at=batch.updated_at,
        reason=batch.reason if batch.status == GIVEN_UP_BATCH_STATUS else None,
    )
