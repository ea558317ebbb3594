"""The statuses of imports and batches, which may follow which, and the sets and predicates made of them.

Everything that asks about a status asks here: the buttons on the pages and, by way of ``queries.status_sets``, the SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Set
from enum import StrEnum


class ImportStatus(StrEnum):
    """The status of an import."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"


class BatchStatus(StrEnum):
    """The status of a batch."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"


class ImportKind(StrEnum):
    """The kind of a run over a file."""

    #: It writes listings.
    IMPORT = "IMPORT"
    #: It writes nothing, and says what an import of the same file would do.
    CHECK = "CHECK"
    #: It reverses what an import has done to listings.
    UNDO = "UNDO"

    @classmethod
    def of_switch(cls, *, check: bool) -> ImportKind:
        """The kind that a form, a command or a request asks for with a switch called check."""
        return cls.CHECK if check else cls.IMPORT


class TokenScope(StrEnum):
    """What a program may do with an API token."""

    READ = "read"
    READ_WRITE = "read-write"


class RetriedRows(StrEnum):
    """Which rows of an import that is over are retried, or undone."""

    #: All rows of a check, which has written none.
    ALL = "ALL"
    #: The rows that have created or updated listings, which an undo reverses.
    WRITTEN = "WRITTEN"
    #: The failed rows: they may succeed after the catalog or the listings have changed.
    FAILED = "FAILED"
    #: The unprocessed rows, because it was terminated or a batch was given up.
    REMAINING = "REMAINING"


class ConversionStatus(StrEnum):
    """The status of a conversion: a foreign file on its way into the import format."""

    #: Its seller still decides how to read it and what its columns are.
    DRAFT = "DRAFT"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CONVERTED = "CONVERTED"
    #: Given up, with the reason shown.
    FAILED = "FAILED"


class TakenUpAs(StrEnum):
    """How an import has taken up failed rows of another one."""

    #: As they were.
    RETRY = "RETRY"
    #: Corrected on the pages or through the API.
    FIX = "FIX"
    #: In an uploaded file whose rows were recognised.
    UPLOAD = "UPLOAD"


class CorrectionState(StrEnum):
    """What a failed row has come to since."""

    #: It has a problem: the one for which it failed, or another one behind that.
    OPEN = "OPEN"
    #: It is corrected, as far as that can be known before it is imported.
    RIGHT = "RIGHT"
    #: It is not to be imported.
    LEFT_OUT = "LEFT_OUT"


class DeliveryStatus(StrEnum):
    """The status of a delivery: a webhook or an email."""

    #: Waiting for its first or next attempt.
    WAITING = "WAITING"
    #: Claimed by a deliverer.
    SENDING = "SENDING"
    DELIVERED = "DELIVERED"
    GIVEN_UP = "GIVEN_UP"


class Channel(StrEnum):
    """The channel of a message."""

    WEBHOOK = "WEBHOOK"
    EMAIL = "EMAIL"


class EmailOnEnd(StrEnum):
    """When a seller gets an email at the end of an import."""

    NEVER = "NEVER"
    #: When it ended as FAILED, or rows failed before it was terminated.
    FAILED = "FAILED"
    ALWAYS = "ALWAYS"


class SwitchedOff(StrEnum):
    """Why a webhook was switched off."""

    SELLER = "SELLER"
    #: It answered 410 Gone.
    GONE = "GONE"
    #: No delivery has succeeded for as long as a message is retried.
    FAILING = "FAILING"


IMPORT_TRANSITIONS: dict[ImportStatus, Set[ImportStatus]] = {
    ImportStatus.RUNNING: {
        # Pause was pressed, and the last running batch has stopped.
        ImportStatus.PAUSED,
        # The reconciler found every batch finished, and no row failed.
        ImportStatus.COMPLETED,
        # The reconciler found every batch finished, and some rows failed or a batch was given up.
        ImportStatus.FAILED,
        # Terminate was pressed.
        ImportStatus.TERMINATED,
    },
    ImportStatus.PAUSED: {
        # Resume was pressed: the batches continue at their cursors.
        ImportStatus.RUNNING,
        # Terminate was pressed while it was paused.
        ImportStatus.TERMINATED,
    },
    ImportStatus.COMPLETED: set(),
    ImportStatus.FAILED: set(),
    ImportStatus.TERMINATED: set(),
}

BATCH_TRANSITIONS: dict[BatchStatus, Set[BatchStatus]] = {
    BatchStatus.QUEUED: {
        # A worker claimed it under its current attempt.
        BatchStatus.RUNNING,
        # Pause was pressed before a worker claimed it.
        BatchStatus.PAUSED,
        BatchStatus.TERMINATED,
    },
    BatchStatus.RUNNING: {
        # The worker stopped at the end of a chunk because the import is pausing, or the reconciler took the batch
        # of a dead worker back while the import was pausing.
        BatchStatus.PAUSED,
        # The worker is shutting down and released the batch, or the reconciler reclaimed it: attempt + 1.
        BatchStatus.QUEUED,
        # The last chunk is committed; some of the rows may have failed.
        BatchStatus.COMPLETED,
        # Too many attempts failed: the batch was given up, with a reason, and its unprocessed rows are kept.
        BatchStatus.FAILED,
        BatchStatus.TERMINATED,
    },
    BatchStatus.PAUSED: {
        # Resume was pressed: attempt + 1.
        BatchStatus.QUEUED,
        BatchStatus.TERMINATED,
    },
    BatchStatus.COMPLETED: set(),
    BatchStatus.FAILED: set(),
    BatchStatus.TERMINATED: set(),
}

CONVERSION_TRANSITIONS: dict[ConversionStatus, Set[ConversionStatus]] = {
    ConversionStatus.DRAFT: {ConversionStatus.QUEUED},
    ConversionStatus.QUEUED: {
        # A worker claimed it under its current attempt.
        ConversionStatus.RUNNING,
        # Cancel was pressed before a worker claimed it.
        ConversionStatus.DRAFT,
    },
    ConversionStatus.RUNNING: {
        # The worker is shutting down and released it, or the reconciler reclaimed it: attempt + 1, from the start.
        ConversionStatus.QUEUED,
        ConversionStatus.CONVERTED,
        # Too many attempts failed, or the file turned out to be unreadable.
        ConversionStatus.FAILED,
        # Cancel was pressed: attempt + 1.
        ConversionStatus.DRAFT,
    },
    # Its seller changes how it is read or mapped: attempt + 1. Not once it was imported or checked.
    ConversionStatus.CONVERTED: {ConversionStatus.DRAFT},
    ConversionStatus.FAILED: {ConversionStatus.DRAFT},
}

#: The statuses that sellers are notified of, and the names of their events.
IMPORT_EVENTS: dict[ImportStatus, str] = {
    ImportStatus.PAUSED: "import.paused",
    ImportStatus.COMPLETED: "import.completed",
    ImportStatus.FAILED: "import.failed",
    ImportStatus.TERMINATED: "import.terminated",
}

#: Imports that are not over.
LIVE_IMPORT_STATUSES = frozenset({ImportStatus.RUNNING, ImportStatus.PAUSED})

#: Imports that are over.
FINAL_IMPORT_STATUSES = frozenset({ImportStatus.COMPLETED, ImportStatus.FAILED, ImportStatus.TERMINATED})

#: Imports of which an operator may have given-up batches tried again; ``can_reopen`` says when.
#: This is the one way back from a final status: the batch is QUEUED again, and its import, if that is over, runs again
#: with it. Cursor and counters stay as they are, and attempt + 1 keeps out the worker that had the batch before.
REOPENABLE_IMPORT_STATUSES = frozenset({ImportStatus.RUNNING, ImportStatus.FAILED})

#: Batches that still have rows to work on.
UNFINISHED_BATCH_STATUSES = frozenset({BatchStatus.QUEUED, BatchStatus.RUNNING, BatchStatus.PAUSED})

#: Batches that a worker has or may claim.
ACTIVE_BATCH_STATUSES = frozenset({BatchStatus.QUEUED, BatchStatus.RUNNING})

#: Batches that were given up after too many attempts; their unprocessed rows are kept.
GIVEN_UP_BATCH_STATUS = BatchStatus.FAILED

#: Conversions that a worker has or may claim.
ACTIVE_CONVERSION_STATUSES = frozenset({ConversionStatus.QUEUED, ConversionStatus.RUNNING})

#: Deliveries that are still to be sent.
LIVE_DELIVERY_STATUSES = frozenset({DeliveryStatus.WAITING, DeliveryStatus.SENDING})

#: Deliveries that are over.
FINISHED_DELIVERY_STATUSES = frozenset({DeliveryStatus.DELIVERED, DeliveryStatus.GIVEN_UP})


def can_pause(status: ImportStatus, *, pausing: bool) -> bool:
    """Whether the Pause button is shown and accepted; ``pausing`` is true once Pause was pressed."""
    return status is ImportStatus.RUNNING and not pausing


def can_resume(status: ImportStatus) -> bool:
    """Whether the Resume button is shown and accepted: only an import that has really stopped can go on."""
    return status is ImportStatus.PAUSED


def can_terminate(status: ImportStatus) -> bool:
    """Whether the Terminate button is shown and accepted."""
    return status in LIVE_IMPORT_STATUSES


def can_reopen(status: ImportStatus, *, kind: ImportKind) -> bool:
    """Whether an operator may have the given-up batches of an import tried again.

    Not those of a check: its check claims are deleted, and checking again costs nothing.
    """
    return status in REOPENABLE_IMPORT_STATUSES and kind is ImportKind.IMPORT


def can_retry(status: ImportStatus, *, rows: int) -> bool:
    """Whether these rows of an import may be retried: only once they cannot change any more."""
    return status in FINAL_IMPORT_STATUSES and rows > 0


def can_undo(status: ImportStatus, *, kind: ImportKind, rows: int) -> bool:
    """Whether an import that has created or updated listings with so many ``rows`` may be undone."""
    return status in FINAL_IMPORT_STATUSES and kind is ImportKind.IMPORT and rows > 0


def sql_literal(member: StrEnum) -> str:
    """A status, or another member of an enum, as it stands in SQL."""
    return f"'{member}'"


def sql_list(members: Collection[StrEnum]) -> str:
    """What follows ``in`` in SQL: ``members`` in the order of their enum, so that the text is always the same."""
    kind = type(next(iter(members)))
    return f"({', '.join(sql_literal(member) for member in kind if member in members)})"
