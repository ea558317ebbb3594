"""The fields of an import that the API's answers and the bodies of webhooks share."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.statuses import ImportKind, ImportStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportState:
    """An import with the sums of its batches' counters, at one moment."""

    #: The public id.
    public_id: uuid.UUID
    kind: ImportKind
    status: ImportStatus
    file_name: str
    #: What its seller calls it; empty: as its file.
    given_name: str = ""
    total: int
    #: Rows that created a listing; of an undo, the listings that it removed.
    created: int
    #: Rows that updated a listing; of an undo, the listings that it put back.
    updated: int
    #: Rows whose listing already had their values, so that it was not written; of an undo, the listings that it kept.
    unchanged: int
    failed: int
    #: When the file arrived.
    created_at: datetime
    #: When processing started; None before.
    started_at: datetime | None
    #: When it was over; None before.
    finished_at: datetime | None

    @property
    def is_check(self) -> bool:
        """Whether it is a check: it writes no listing, and reports what an import of its file would do."""
        return self.kind is ImportKind.CHECK

    @property
    def is_undo(self) -> bool:
        """Whether it is an undo: its rows are the listings of another import."""
        return self.kind is ImportKind.UNDO

    @property
    def name(self) -> str:
        """What it is called."""
        return self.given_name or self.file_name

    @property
    def title(self) -> str:
        """The heading of its page: an undo is called like its import."""
        return f"Undo of {self.name}" if self.is_undo else self.name

    @property
    def successful(self) -> int:
        """Rows that were created, updated or unchanged."""
        return self.created + self.updated + self.unchanged

    @property
    def processed(self) -> int:
        """Rows that are through, well or badly."""
        return self.successful + self.failed

    @property
    def not_processed(self) -> int:
        """Rows that are not processed, yet or for ever."""
        return self.total - self.processed


def import_fields(one: ImportState) -> dict[str, Any]:
    """The fields of an import by their names in Python; ``camel`` makes those of JSON."""
    counters = one.created, one.updated, one.unchanged
    of_rows, of_listings = ((0, 0, 0), counters) if one.is_undo else (counters, (0, 0, 0))
    return {
        "id": one.public_id,
        "status": one.status,
        "file_name": one.file_name,
        "name": one.name,
        "kind": one.kind,
        "check": one.is_check,
        "total": one.total,
        "successful": one.successful,
        **dict(zip(("created", "updated", "unchanged"), of_rows, strict=True)),
        **dict(zip(("removed", "put_back", "kept"), of_listings, strict=True)),
        "failed": one.failed,
        "not_processed": one.not_processed,
        "created_at": one.created_at,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
    }


def camel(name: str) -> str:
    """The name of a field in JSON."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def iso(time: datetime) -> str:
    """A time in ISO format: in UTC, with microseconds."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
