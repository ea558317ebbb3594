"""CSV downloads, shared by pages and API: their names, headers, and streamed bytes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import quote

from flask import Response, current_app, request, stream_with_context
from werkzeug.exceptions import NotFound, ServiceUnavailable

from app import audit, listings
from app.audit import Action
from app.csvfile.columns import COLUMNS, FIELDS, HEADER, Column, as_cell
from app.csvfile.contract import Condition, Mode
from app.csvfile.examples import TEMPLATE_ROWS
from app.csvfile.guard import guard, guard_if_guarded
from app.csvfile.write import csv_lines, in_pieces, with_mark
from app.extensions import db
from app.imports.reports import exports, fix_file
from app.imports.reports.exports import plain_stem
from app.imports.reports.progress import ImportProgress
from app.queries import item_search, without_transaction
from app.queries.imports.row_errors import ANY, ErrorFilter
from app.queries.item_search import FoundItem
from app.queries.listings import search
from app.queries.listings.listings import ExportedListing

#: Maximum number of rows in a template that a search of the catalog fills.
_MOST_CATALOG_ROWS = 10_000


def csv_response(file_name: str, pieces: Iterable[bytes], *, size: int | None = None) -> Response:
    """An answer that a browser saves as ``file_name``; ``size`` is in bytes, if known beforehand.

    For a spreadsheet it begins with a byte-order mark, which a program would read as part of the first name. Ends the
    transaction of the request, because the client may be slow (see ``queries.without_transaction``). Raises NotFound or
    ServiceUnavailable if the uploaded file behind it cannot be read.
    """
    coming = iter(pieces)
    if is_for_spreadsheet():
        coming, size = with_mark(coming), None
    with source_errors_as_404():
        # The first piece is read before the answer, so that a missing file is an error page and not a broken download.
        first = next(coming, b"")
    db.session.rollback()
    response = Response(stream_with_context(chain([first], coming)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = _disposition(file_name)
    response.headers["Cache-Control"] = "no-store"
    if size is not None:
        response.content_length = size
    return response


def is_for_spreadsheet() -> bool:
    """Whether the answer is for a spreadsheet: links on pages say so (``spreadsheet=1``)."""
    return request.args.get("spreadsheet") == "1"


@contextmanager
def source_errors_as_404() -> Iterator[None]:
    """Turn errors of reading an uploaded file into NotFound or ServiceUnavailable."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(
            "The uploaded file has been deleted. Its listings and its failed rows are still here."
        ) from error
    except OSError as error:
        current_app.logger.exception("source not read")
        raise ServiceUnavailable("The uploaded file cannot be read right now. Try again in a few minutes.") from error


def failed_rows(one: ImportProgress, *, wanted: ErrorFilter = ANY, with_reasons: bool = False) -> Response:
    """The failed rows under their header, ready to be corrected and uploaded. Raises NotFound.

    They are as in the file, byte for byte; ``with_reasons`` gives the fix-it file.
    """
    need_errors(one)
    if with_reasons:
        return _send(one, "failed rows to fix", _name_for("rows-to-fix", one), fix_file.stream(one.key, wanted=wanted))
    return _send(one, "failed rows", _name_for("failed-rows", one), exports.failed(one.key, wanted=wanted))


def as_updates(one: ImportProgress) -> Response:
    """The failed CREATE rows whose listing already exists, as UPDATE rows. Raises NotFound."""
    need_errors(one)
    return _send(one, "failed rows as updates", _name_for("as-updates", one), exports.as_updates(one.key))


def error_report(one: ImportProgress, *, wanted: ErrorFilter = ANY) -> Response:
    """The report of the failed rows; see ``exports.report``. Raises NotFound."""
    need_errors(one)
    return _send(one, "error report", _name_for("error-report", one), exports.report(one.key, wanted=wanted))


def remaining_rows(one: ImportProgress) -> Response:
    """The remaining rows under their header. Raises NotFound or ServiceUnavailable."""
    return _send(one, "remaining rows", _name_for("remaining-rows", one), exports.remaining(one.key))


def succeeded_rows(one: ImportProgress) -> Response:
    """Which line created or updated which listing. Raises NotFound or ServiceUnavailable."""
    # Successful rows are those that did not fail, so the failed rows must still be stored.
    need_errors(one)
    return _send(one, "successful rows", _name_for("succeeded-rows", one), exports.succeeded(one.key))


def source(one: ImportProgress) -> Response:
    """The file as it was uploaded. Raises NotFound or ServiceUnavailable."""
    return _send(one, "the file as uploaded", one.file_name, exports.source(one.key), size=one.file_size)


def listings_export(seller_id: int, wanted: search.ListingFilter) -> Response:
    """The seller's listings that match ``wanted``, as UPDATE rows that change nothing when they are imported."""
    found = without_transaction(listings.iter_export(seller_id, wanted))
    guards = guard if is_for_spreadsheet() else guard_if_guarded
    lines = csv_lines(chain([COLUMNS], (_update_row(listing, guards) for listing in found)))
    return csv_response(f"listings-{datetime.now(UTC):%Y-%m-%d}.csv", in_pieces(lines))


def _update_row(listing: ExportedListing, guards: Callable[[str], str]) -> list[str]:
    values = {
        Column.MODE: Mode.UPDATE.value,
        Column.URN: listing.urn,
        Column.CONDITION: Condition(listing.condition).name,
        Column.VARIANTS: listing.variants,
    }
    for column, field in FIELDS.items():
        cell = as_cell(listing.values[field.name])
        values[column] = guards(cell) if column.spec.is_free_text else cell
    return [values.get(column, "") for column in Column]


def catalog_rows(wanted: item_search.ItemFilter) -> Response:
    """The template with a row for each item that matches ``wanted``, at most ``_MOST_CATALOG_ROWS``."""
    guards = guard if is_for_spreadsheet() else guard_if_guarded
    found = item_search.find(wanted, limit=_MOST_CATALOG_ROWS)
    rows = (create_row(item, guards=guards) for item in found)
    name = wanted.set_name.replace("/", "-") or "catalog"
    return csv_response(f"rows-{name}.csv", in_pieces(csv_lines(chain([COLUMNS], rows))))


def create_row(item: FoundItem, *, guards: Callable[[str], str] = guard_if_guarded) -> list[str]:
    """A CREATE row for ``item``, in the order of the columns, without what only the seller knows.

    The URN decides; the names are there to be read.
    """
    values = {
        Column.MODE: Mode.CREATE.value,
        Column.URN: item.urn,
        Column.GAME: guards(item.game),
        Column.SET: guards(item.set_name),
        Column.NAME: guards(item.name),
    }
    return [values.get(column, "") for column in Column]


def template() -> Response:
    """The template: the header and two example rows."""
    text = "\n".join((HEADER, *(example.line for example in TEMPLATE_ROWS), "")).encode()
    return csv_response("sluice-template.csv", [text], size=len(text))


def _send(
    one: ImportProgress, what: str, file_name: str, pieces: Iterable[bytes], *, size: int | None = None
) -> Response:
    """A file about an import; its history tells who has downloaded it."""
    response = csv_response(file_name, pieces, size=size)
    if request.method == "GET":
        audit.record(Action.DOWNLOAD, one.key.seller_id, one.public_id, detail=what)
        db.session.commit()
    return response


def need_errors(one: ImportProgress) -> None:
    """Raise NotFound if the failed rows of an import have been deleted."""
    if not one.has_errors:
        raise NotFound(f"The failed rows of this {one.noun} have been deleted.")


def _name_for(what: str, one: ImportProgress) -> str:
    """The name of a file about an import: ``failed-rows-1f0c9a2b-stock.csv`` for the failed rows of ``stock.csv``."""
    return f"{what}-{one.short_id}-{plain_stem(one.file_name)}.csv"


def _disposition(file_name: str) -> str:
    """A Content-Disposition that every browser understands: an ASCII name, and the real name as in RFC 5987."""
    plain = unicodedata.normalize("NFKD", file_name).encode("ascii", "ignore").decode()
    plain = " ".join(re.sub(r"[^A-Za-z0-9._ ()-]+", "_", plain).split()).strip(" .") or "download.csv"
    header = f'attachment; filename="{plain}"'
    return header if plain == file_name else f"{header}; filename*=UTF-8''{quote(file_name, safe='')}"
