"""Rows out: values as lines of CSV, in bytes of a size worth sending, and cells that no spreadsheet runs."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from app.csvfile.guard import FORMULA_STARTS

#: Pieces are about this large: small enough to hold many at once, large enough not to cost a write a line.
_PIECE_BYTES = 64 * 1024

#: Where a formula begins: in front, and behind what parts cells or lines where it is not the comma that does.
_FORMULA = re.compile(rf"\A(?=[\t\r\n]|\s*{FORMULA_STARTS})|(?<=[;\t\r\n])(?=[^\S\t\r\n]*{FORMULA_STARTS})")


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


def with_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """``pieces`` behind a byte-order mark, unless they begin with one already.

    Without it, Excel takes a file for one in the encoding of its country, and é for two letters.
    """
    coming = iter(pieces)
    yield codecs.BOM_UTF8 + next(coming, b"").removeprefix(codecs.BOM_UTF8)
    yield from coming


def no_formula(text: str) -> str:
    """``text`` as a cell that no spreadsheet takes for a formula.

    An apostrophe goes before whatever could be one. Spreadsheets differ in what they skip before it, so that a cell
    which begins with a tab or a line break, or with a formula behind white space, is taken for one as well.
    """
    return _FORMULA.sub("'", text)
