"""CSV files as answers: their names, their headers, and their bytes as they come."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TypeVar
from urllib.parse import quote

from flask import Response, stream_with_context

from app.extensions import db

_Row = TypeVar("_Row")

#: Pieces are about this large: small enough to hold many at once, large enough not to cost a write a line.
_PIECE_BYTES = 64 * 1024

#: What makes a spreadsheet take a cell for a formula (OWASP, CSV Injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_response(file_name: str, pieces: Iterable[bytes], *, size: int | None = None) -> Response:
    """An answer that a browser saves as ``file_name``; ``size`` is in bytes, where it is known beforehand.

    Ends the transaction of the request, because the reader may be slow (see ``without_transaction``).
    """
    db.session.rollback()
    response = Response(stream_with_context(iter(pieces)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = _disposition(file_name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    if size is not None:
        response.content_length = size
    return response


def derived_name(file_name: str, addition: str) -> str:
    """The name of a file made from another: ``cards.csv`` and ``failed`` give ``cards-failed.csv``."""
    path = PurePath(file_name)
    stem = path.stem if path.suffix.lower() in {".csv", ".txt"} else path.name
    return f"{stem}-{addition}.csv"


def dated_name(stem: str) -> str:
    """``stem`` with today's date in UTC, for a file that is another one every day."""
    return f"{stem}-{datetime.now(UTC):%Y-%m-%d}.csv"


def csv_lines(rows: Iterable[Sequence[str | int]]) -> Iterator[str]:
    """``rows`` as lines of CSV that end in LF, quoted only where it is needed."""
    writer = csv.writer(_Line())
    for row in rows:
        yield writer.writerow(row)


class _Line:
    """Gives each line that a csv writer writes back to its caller.

    The writer is left at its CRLF, which is cut off here: told to end lines in LF, it would not quote a value with a
    lone CR in it, and such a file could not be read again.
    """

    def write(self, line: str) -> str:
        return line.removesuffix("\r\n") + "\n"


def in_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """``texts`` one after the other in UTF-8, in pieces of a size that is worth sending."""
    waiting = bytearray()
    for text in texts:
        waiting += text.encode()
        if len(waiting) >= _PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def without_transaction(pages: Iterable[Iterable[_Row]]) -> Iterator[_Row]:
    """The rows of ``pages``, for a reader who may be slow.

    While that takes its time, the download holds neither a transaction, which the database would end after a few idle
    seconds, nor a connection.
    """
    for page in pages:
        db.session.rollback()
        yield from page


def no_formula(text: str) -> str:
    """``text`` as a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _disposition(file_name: str) -> str:
    """A Content-Disposition that every browser understands: plain ASCII, and the real name as in RFC 5987."""
    plain = unicodedata.normalize("NFKD", file_name).encode("ascii", "ignore").decode()
    plain = " ".join(re.sub(r"[^A-Za-z0-9._ ()-]+", "_", plain).split()).strip(" .") or "download.csv"
    header = f'attachment; filename="{plain}"'
    return header if plain == file_name else f"{header}; filename*=UTF-8''{quote(file_name, safe='')}"
