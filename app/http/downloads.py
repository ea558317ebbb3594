"""CSV downloads, shared by pages and API: their names, headers, and streamed bytes."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import PurePath
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
from app.imports.foreign.reasons import Outcome
from app.imports.foreign.shapes import Kind
from app.imports.reports import exports, fix_file, seller_exports, seller_file
from app.imports.reports import kept_listings as reports_kept
from app.imports.reports.exports import plain_stem
from app.imports.reports.progress import ImportProgress
from app.imports.reports.seller_file import SellerFile
from app.models import Conversion
from app.queries import item_search, without_transaction
from app.queries.imports.row_errors import ANY, ErrorFilter
from app.queries.item_search import FoundItem
from app.queries.listings import search
from app.queries.listings.listings import ExportedListing
from app.statuses import ConversionStatus

_LEFT_OUT = frozenset({Outcome.LEFT_OUT, Outcome.OPEN})
_UTF_8 = "text/csv; charset=utf-8"
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Maximum number of rows in a template that a search of the catalog fills.
_MOST_CATALOG_ROWS = 10_000


def csv_response(
    file_name: str, pieces: Iterable[bytes], *, size: int | None = None, content_type: str = _UTF_8
) -> Response:
    """An answer that a browser saves as ``file_name``; ``size`` is in bytes, if known beforehand.

    For a spreadsheet UTF-8 begins with a byte-order mark, which a program would read as part of the first name. Ends
    the transaction of the request, because the client may be slow (see ``queries.without_transaction``). Raises
    NotFound or ServiceUnavailable if the uploaded file behind it cannot be read.
    """
    coming = iter(pieces)
    if is_for_spreadsheet() and content_type == _UTF_8:
        coming, size = with_mark(coming), None
    with source_errors_as_404():
        # The first piece is read before the answer, so that a missing file is an error page and not a broken download.
        first = next(coming, b"")
    db.session.rollback()
    response = Response(stream_with_context(chain([first], coming)), content_type=content_type)
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

    They are as in the file that the seller has uploaded, byte for byte; ``with_reasons`` gives the fix-it file.
    """
    need_errors(one)
    own = _find_text(one)
    if with_reasons:
        what, name = "failed rows to fix", "rows-to-fix"
        if own:
            pieces = seller_exports.to_fix(own, one.key, one.public_id, wanted=wanted)
        else:
            pieces = fix_file.stream(one.key, one.public_id, wanted=wanted)
    else:
        what, name = "failed rows", "failed-rows"
        pieces = seller_exports.failed(own, one.key, wanted=wanted) if own else exports.failed(one.key, wanted=wanted)
    return _send_own(one, own, what, name, pieces)


def _find_text(one: ImportProgress) -> SellerFile | None:
    """The foreign file behind an import, if there is one whose text is still stored."""
    own = seller_file.find(one.key)
    return own if own and own.has_text else None


def _send_own(one: ImportProgress, own: SellerFile | None, what: str, name: str, pieces: Iterable[bytes]) -> Response:
    """Rows of an import, in the format of its foreign file if ``own``."""
    if own is None:
        return _send(one, what, _name_for(name, one), pieces)
    file_name = f"{name}-{one.short_id}-{PurePath(one.file_name).stem}.csv"
    return _send(one, what, file_name, pieces, content_type=f"text/csv; charset={own.reading.encoding}")


def as_updates(one: ImportProgress) -> Response:
    """The failed CREATE rows whose listing already exists, as UPDATE rows. Raises NotFound."""
    need_errors(one)
    return _send(one, "failed rows as updates", _name_for("as-updates", one), exports.as_updates(one.key))


def error_report(one: ImportProgress, *, wanted: ErrorFilter = ANY) -> Response:
    """The report of the failed rows; see ``exports.report``. Raises NotFound."""
    need_errors(one)
    own = seller_file.find(one.key)
    pieces = seller_exports.report(own, one.key, wanted=wanted) if own else exports.report(one.key, wanted=wanted)
    return _send(one, "error report", _name_for("error-report", one), pieces)


def remaining_rows(one: ImportProgress) -> Response:
    """The remaining rows under their header. Raises NotFound or ServiceUnavailable."""
    own = _find_text(one)
    pieces = seller_exports.remaining(own, one.key) if own else exports.remaining(one.key)
    return _send_own(one, own, "remaining rows", "remaining-rows", pieces)


def succeeded_rows(one: ImportProgress) -> Response:
    """Which line created or updated which listing. Raises NotFound or ServiceUnavailable."""
    # Successful rows are those that did not fail, so the failed rows must still be stored.
    need_errors(one)
    return _send(one, "successful rows", _name_for("succeeded-rows", one), exports.succeeded(one.key))


def kept_listings(one: ImportProgress) -> Response:
    """The listings that an undo has kept, and why."""
    return _send(one, "kept listings", _name_for("kept-listings", one), reports_kept.stream(one.key))


def source(one: ImportProgress) -> Response:
    """The file as it was uploaded. Raises NotFound or ServiceUnavailable."""
    what = "the file as uploaded"
    own = seller_file.find(one.key)
    if own is None:
        return _send(one, what, one.file_name, exports.source(one.key), size=one.file_size)
    if own.is_part:
        return _send_own(one, own, what, "source", seller_exports.source(own))
    kind = f"text/csv; charset={own.reading.encoding}"
    if own.reading.kind == Kind.XLSX:
        kind = _WORKBOOK
    elif own.reading.is_gzipped:
        kind = "application/gzip"
    return _send(one, what, one.file_name, own.iter_source(), size=own.file_size, content_type=kind)


def converted(one: ImportProgress) -> Response:
    """The file in the import format that was made of a foreign one. Raises NotFound or ServiceUnavailable."""
    _need_own(one)
    return _send(one, "the converted file", _name_for("converted", one), exports.source(one.key), size=one.file_size)


#: The files about an import that take no options, by their names in addresses.
PLAIN_FILES: dict[str, Callable[[ImportProgress], Response]] = {
    "as-updates": as_updates,
    "remaining": remaining_rows,
    "succeeded": succeeded_rows,
    "kept": kept_listings,
    "source": source,
    "converted": converted,
}


def left_out_rows(one: ImportProgress, *, added: bool = False) -> Response:
    """The rows of a foreign file that were left out or are undecided, or those that were ``added`` to others.

    Each has the reason in a column behind its own. Raises NotFound or ServiceUnavailable.
    """
    own = _need_own(one)
    outcomes = frozenset({Outcome.ADDED}) if added else _LEFT_OUT
    what = "added rows" if added else "left-out rows"
    return _send_own(one, own, what, what.replace(" ", "-"), seller_exports.apart(own, outcomes=outcomes))


def left_out_before(one: Conversion) -> Response:
    """The same of a file that was converted and of which nothing is imported yet. Raises NotFound."""
    own = SellerFile(one)
    if one.status != ConversionStatus.CONVERTED or not own.has_text:
        raise NotFound("This file is not worked through, or it has been deleted.")
    pieces = seller_exports.apart(own, outcomes=_LEFT_OUT)
    file_name = f"left-out-rows-{PurePath(one.file_name).stem}.csv"
    response = csv_response(file_name, pieces, content_type=f"text/csv; charset={own.reading.encoding}")
    if request.method == "GET":
        audit.record(Action.DOWNLOAD, one.seller_id, detail=f"left-out rows of {one.file_name}")
        db.session.commit()
    return response


def _need_own(one: ImportProgress) -> SellerFile:
    own = seller_file.find(one.key)
    if own is None:
        raise NotFound(f"The file of this {one.noun} was uploaded in the import format, so nothing was converted.")
    if not own.has_text:
        raise NotFound("The uploaded file has been deleted. Its listings and its failed rows are still here.")
    return own


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
    one: ImportProgress,
    what: str,
    file_name: str,
    pieces: Iterable[bytes],
    *,
    size: int | None = None,
    content_type: str = _UTF_8,
) -> Response:
    """A file about an import; its history tells who has downloaded it."""
    response = csv_response(file_name, pieces, size=size, content_type=content_type)
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
