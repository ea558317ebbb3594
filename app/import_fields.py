"""The fields of an import that the API's answers and the bodies of webhooks share."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, Protocol

from app.statuses import ImportKind


class ImportState(Protocol):
    """An import with the sums of its batches' counters, at one moment."""

    @property
    def public_id(self) -> uuid.UUID:
        """The id that its seller knows."""

    @property
    def status(self) -> str:
        """Its status."""

    @property
    def kind(self) -> str:
        """Which kind of run it is."""

    @property
    def is_check(self) -> bool:
        """Whether it writes no listing."""

    @property
    def file_name(self) -> str:
        """The name of its file."""

    @property
    def name(self) -> str:
        """What its seller calls it; the name of its file, unless it has been given another."""

    @property
    def total(self) -> int:
        """All rows."""

    @property
    def created(self) -> int:
        """Rows that created a listing; of an undo, the listings that it removed."""

    @property
    def updated(self) -> int:
        """Rows that updated a listing; of an undo, the listings that it put back."""

    @property
    def unchanged(self) -> int:
        """Rows whose listing already had their values; of an undo, the listings that it kept."""

    @property
    def failed(self) -> int:
        """Failed rows."""

    @property
    def created_at(self) -> datetime:
        """When the file arrived."""

    @property
    def started_at(self) -> datetime | None:
        """When processing started; None before."""

    @property
    def finished_at(self) -> datetime | None:
        """When it was over; None before."""


def import_fields(one: ImportState) -> dict[str, Any]:
    """The fields of an import by their names in Python; ``camel`` makes those of JSON."""
    successful = one.created + one.updated + one.unchanged
    counters = one.created, one.updated, one.unchanged
    of_rows, of_listings = ((0, 0, 0), counters) if one.kind == ImportKind.UNDO else (counters, (0, 0, 0))
    return {
        "id": one.public_id,
        "status": one.status,
        "file_name": one.file_name,
        "name": one.name,
        "kind": one.kind,
        "check": one.is_check,
        "total": one.total,
        "successful": successful,
        **dict(zip(("created", "updated", "unchanged"), of_rows, strict=True)),
        **dict(zip(("removed", "put_back", "kept"), of_listings, strict=True)),
        "failed": one.failed,
        "not_processed": one.total - successful - one.failed,
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
