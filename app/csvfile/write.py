"""Writes CSV: values as lines, lines as pieces of bytes, and cells that no spreadsheet runs as a formula."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence

from app.csvfile.guard import FORMULA_STARTS

#: Approximate size of a piece: small enough to hold many at once, large enough not to need a write for each line.
_PIECE_BYTES = 64 * 1024

#: Where a formula can begin: at the start, or after a line break or a separator other than the comma.
_FORMULA = re.compile(rf"\A(?=[\t\r\n]|\s*{FORMULA_STARTS})|(?<=[;\t\r\n])(?=[^\S\t\r\n]*{FORMULA_STARTS})")


def csv_lines(rows: Iterable[Sequence[str | int]]) -> Iterator[str]:
    """``rows`` as lines of CSV that end in LF, quoted only if necessary."""
    writer = csv.writer(_Line())
    for row in rows:
        yield writer.writerow(row)


class _Line:
    """Returns each line that a csv writer writes to its caller.

    The writer ends lines in CRLF, which is cut off here: if it ended them in LF, it would not quote a value with a lone
    CR, and such a file could not be read again.
    """

    def write(self, line: str) -> str:
        return line.removesuffix("\r\n") + "\n"


def in_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """``texts`` in sequence in UTF-8, in pieces large enough to be sent efficiently."""
    return joined(map(str.encode, texts))


def joined(texts: Iterable[bytes]) -> Iterator[bytes]:
    """The same for texts that are encoded already."""
    waiting = bytearray()
    for text in texts:
        waiting += text
        if len(waiting) >= _PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def with_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """``pieces`` after a byte-order mark, unless they begin with one already.

    Without it, Excel reads the file in the encoding of its country, and shows é as two letters.
    """
    coming = iter(pieces)
    yield codecs.BOM_UTF8 + next(coming, b"").removeprefix(codecs.BOM_UTF8)
    yield from coming


def no_formula(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs as a formula.

    Any possible formula is prefixed with an apostrophe. Spreadsheets differ in what they skip before a formula, so a
    cell that begins with a tab or a line break, or with a formula after white space, counts as one too.
    """
    return _FORMULA.sub("'", text)
