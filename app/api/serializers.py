"""Serialises imports, failed rows and listings; the fields are those of ``schemas``."""

import uuid
from typing import Any

from flask import url_for

from app.api.schemas import EARLIER_IN_IMPORT, ERRORS_IN_IMPORT
from app.http.error_filter import WHOLE_ROW
from app.import_fields import import_fields
from app.imports import actions
from app.imports.conversions import guess_of
from app.imports.reports import likely_mistakes, progress, row_errors, summary
from app.imports.reports.kept_listings import KeptShown
from app.imports.reports.progress import ImportProgress, RelatedImports
from app.imports.reports.row_errors import RowShown
from app.models import Conversion
from app.queries import begin_repeatable_read
from app.queries.imports import conversions, error_groups, throughput
from app.queries.listings.listings import listing_id
from app.queries.listings.search import FoundListing
from app.statuses import RetriedRows


def show_import(one: ImportProgress, related: RelatedImports | None = None) -> dict[str, Any]:
    """An import as in a list; ``related`` says which of its rows were taken up, if known."""
    return {
        **import_fields(one),
        "pausing": one.is_pausing,
        "outcome": summary.describe(one, related=related),
        "note": one.note,
        "dealt_with": one.is_dealt_with,
        "file_size": one.file_size,
        "key": one.idempotency_key,
        "invalid": one.invalid,
        "warnings": [warned._asdict() for warned in likely_mistakes.list_of_upload(one)],
        "updated_at": one.updated_at,
        "links": _links(one.public_id),
    }


def show_in_full(seller_id: int, public_id: uuid.UUID) -> dict[str, Any]:
    """The seller's import with its batches and failed rows. Raises ImportNotFound."""
    # One state of the database: counters, batches and failed rows must agree while workers write.
    begin_repeatable_read()
    one = progress.get(seller_id, public_id)
    related = progress.get_related(one)
    _, same = progress.list_same_file(one.key, limit=EARLIER_IN_IMPORT + 1)
    earlier = [each for each in same if each.key.import_id < one.key.import_id]
    groups = row_errors.outline_groups(one, error_groups.list_all(one.key) if one.failed else [])
    # As on the page: while the import runs, it is polled too often for suggestions.
    failed = row_errors.list_rows(one, limit=ERRORS_IN_IMPORT, with_suggestions=not one.is_moving).rows
    return {
        **show_import(one, related),
        "warnings": [warned._asdict() for warned in likely_mistakes.list_in_rows(one)],
        "actions": [action.name for action in actions.offer_seller(one, related.can_retry, can_undo=related.can_undo)],
        "retry_of": _relative(related.parent, one.retry_of) if related.parent and not one.is_undo else None,
        "undo_of": related.parent.public_id if related.parent and one.is_undo else None,
        "undone": _undone(related),
        "undo_until": progress.undo_until(one.finished_at) if related.can_undo else None,
        "retries": [_relative(child, child.retry_of) for child in related.takers],
        "earlier": earlier[:EARLIER_IN_IMPORT],
        "conversion": _foreign_file(one),
        "batches": progress.list_batches(one, throughput.get(one.key).batches),
        "error_groups": [
            {
                "cause": group.kind.cause.slug,
                "column": group.column,
                "code": group.kind.cause.code,
                "rows": group.rows,
                "fix": group.kind.cause.fix,
                "errors": url_for(
                    "api.list_errors",
                    public_id=public_id,
                    cause=group.kind.cause.slug,
                    column=group.kind.column or WHOLE_ROW,
                ),
            }
            for group in groups
        ],
        "errors": [show_failed_row(row) for row in failed],
    }


def _foreign_file(one: ImportProgress) -> dict[str, Any] | None:
    """The foreign file that an import was converted from."""
    found = conversions.find_of_import(one.key)
    if found is None:
        return None
    files = ("source", "converted", "left_out")
    return {
        "id": found.public_id,
        "mapping": found.mapping_name,
        "guess": guess_of(found),
        **row_counts(found),
        **{f"{name}_csv": url_for(f"api.{name}_csv", public_id=one.public_id) for name in files},
    }


def row_counts(one: Conversion) -> dict[str, int]:
    """What became of the rows of a foreign file."""
    return {name: getattr(one, name) for name in ("rows", "converted", "added", "left_out", "undecided")}


def show_failed_row(row: RowShown) -> dict[str, Any]:
    """A failed row."""
    return {
        "id": row.place,
        "line": row.line,
        "code": row.code,
        "columns": [*dict.fromkeys(problem.column for problem in row.problems if problem.column)],
        "message": " ".join(problem.message for problem in row.problems),
        "row": "".join(part.text for part in row.parts),
        "problems": row.problems,
    }


def show_listing(one: FoundListing) -> dict[str, Any]:
    """A listing."""
    return {**one._asdict(), **one.values, "id": listing_id(one.urn, one.condition, one.variants)}


def _links(public_id: uuid.UUID) -> dict[str, str]:
    files = ("failed", "errors", "as_updates", "remaining", "succeeded", "kept", "source")
    return {
        "self": url_for("api.show_one", public_id=public_id),
        "status": url_for("api.show_status_only", public_id=public_id),
        "html": url_for("details.show", public_id=public_id),
        "errors": url_for("api.list_errors", public_id=public_id),
        **{f"{name}_csv": url_for(f"api.{name}_csv", public_id=public_id) for name in files},
    }


def _relative(other: ImportProgress, rows: RetriedRows | None) -> dict[str, Any]:
    return {"id": other.public_id, "rows": rows, "file_name": other.file_name, "status": other.status}


def _undone(related: RelatedImports) -> dict[str, Any] | None:
    if related.undo is None:
        return None
    latest = related.undo
    return {
        "id": latest.public_id,
        "status": latest.status,
        "finished_at": latest.finished_at,
        "kept": related.kept,
        "not_processed": latest.not_processed,
    }


def show_kept(one: KeptShown) -> dict[str, Any]:
    """A listing that an undo has kept."""
    return {**one._asdict(), "id": listing_id(one.urn, one.condition, one.variants)}
