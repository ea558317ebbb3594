"""Reads any table that a seller has: detects how, tells what is unreadable or no stock, and gives its rows in blocks.

    reading = detect(source, overrides={})
    for block in blocks(source, reading): ...

The *text* of a file, to which the places of rows refer, is the file itself for CSV in UTF-8 and in encodings of one
byte a character. For UTF-16, gzip and workbooks it is a transcript, CSV in UTF-8. ``text_of`` gives either.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import BinaryIO

from app.csvfile.kinds import recognise_bytes, recognise_text, utf_16
from app.imports.foreign import guesses
from app.imports.foreign.delimited import SWAPPED_ENDS, read_text
from app.imports.foreign.encodings import ENCODINGS, LAST_RESORT, decode, encoding_of, to_utf_8
from app.imports.foreign.gzipped import MAGIC, beginning, unzip
from app.imports.foreign.orders import refuse_buyers, refuse_orders
from app.imports.foreign.package import SAVE_AGAIN
from app.imports.foreign.shapes import MOST_COLUMNS, TRANSCRIBED, Block, Kind, Overrides, Reading, Unreadable, Unsure
from app.imports.foreign.workbook import Workbook, as_csv

#: Number of bytes from which the dialect is guessed, and of a piece that is read.
SAMPLE_BYTES = 256 * 1024
PIECE_BYTES = 1024 * 1024
#: Number of rows of a sheet from which its header is guessed, and of sheets that are looked at.
SAMPLE_ROWS = 200
MAX_SHEETS = 50
_ZIP = b"PK\x03\x04"
#: Where none is found.
_SEPARATOR = ","


def detect(source: BinaryIO, *, overrides: Overrides) -> Reading:
    """How the file is read, as ``overrides`` say and otherwise as is likely; reads all of a text once.

    Raises Unreadable if it is no table or empty, or if it cannot be read as ``overrides`` say, and NotStock if it holds
    orders or data of buyers.
    """
    source.seek(0)
    start = source.read(SAMPLE_BYTES)
    if start.startswith(_ZIP):
        reading = _detect_workbook(source, overrides)
    else:
        reading = _detect_text(source, start, overrides)
    if len(reading.columns) > MOST_COLUMNS:
        raise Unreadable(f"The file has more than {MOST_COLUMNS} columns. Delete those that are not needed.")
    return reading


def blocks(source: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The rows of the file, in order, without blank ones, read as ``reading`` says; memory stays flat.

    ``source`` is the file that was detected; or its text, with ``text_reading``. Raises Unreadable for what cannot be
    read.
    """
    return read_text(text_of(source, reading), text_reading(reading))


def text_reading(reading: Reading) -> Reading:
    """How the text of the file is read: the reading itself if the file is its own text."""
    if reading.is_text:
        return reading
    return replace(reading, kind=Kind.CSV, encoding="utf-8", is_gzipped=False, is_wrapped=False)


def text_of(source: BinaryIO, reading: Reading) -> Iterator[bytes]:
    """The text of the file, piece by piece. Raises Unreadable."""
    if reading.kind == Kind.XLSX:
        workbook = Workbook(source)
        if reading.sheet not in workbook.sheets:
            raise Unreadable(f"The workbook has no sheet called “{reading.sheet}”.")
        return as_csv(workbook.rows(reading.sheet), width=len(reading.columns), numbers=reading.numbers)
    pieces = _pieces(source, is_gzipped=reading.is_gzipped)
    text = pieces if reading.is_text else to_utf_8(pieces, reading.encoding)
    return guesses.unwrap(text) if reading.is_wrapped else text


def _pieces(source: BinaryIO, *, is_gzipped: bool) -> Iterator[bytes]:
    source.seek(0)
    return unzip(source) if is_gzipped else iter(lambda: source.read(PIECE_BYTES), b"")


def _detect_workbook(source: BinaryIO, overrides: Overrides) -> Reading:
    workbook = Workbook(source)
    sheet = overrides.get("sheet")
    if sheet is not None and sheet not in workbook.sheets:
        raise Unreadable(f"The workbook has no sheet called “{sheet}”.")
    looked_at = [sheet] if sheet is not None else workbook.visible[:MAX_SHEETS] or workbook.sheets[:1]
    beginnings = {name: [*islice(workbook.rows(name), SAMPLE_ROWS)] for name in looked_at}
    for name, lines in beginnings.items():
        refuse_buyers(lines, name)
    header_line = overrides.get("header_line")
    layouts = {name: guesses.layout_of(lines, header_line) for name, lines in beginnings.items() if lines}
    if not layouts:
        raise Unreadable("The workbook is empty." if sheet is None else f"The sheet “{sheet}” is empty.")
    likeness = {name: guesses.likeness_to_stock(layout.columns) for name, layout in layouts.items()}
    chosen = max(layouts, key=likeness.__getitem__)
    layout, lines = layouts[chosen], beginnings[chosen]
    refuse_orders(lines)
    is_tied = [*likeness.values()].count(likeness[chosen]) > 1
    return Reading(
        kind=Kind.XLSX,
        columns=layout.columns,
        header_line=layout.header_line,
        first_line=layout.first_line,
        sheet=chosen,
        sheets=workbook.sheets,
        numbers=guesses.number_columns(layout, lines),
        counts_records=True,
        unsure=_unsure({Unsure.HEADER: not layout.is_sure, Unsure.SHEET: is_tied}),
    )


def _unsure(doubts: dict[Unsure, bool]) -> tuple[str, ...]:
    return tuple(doubt.value for doubt, is_in_doubt in doubts.items() if is_in_doubt)


def _detect_text(source: BinaryIO, start: bytes, overrides: Overrides) -> Reading:
    is_gzipped = start.startswith(MAGIC)
    if is_gzipped:
        start = beginning(_pieces(source, is_gzipped=True), SAMPLE_BYTES)
        if start.startswith(_ZIP):
            raise Unreadable("This is a workbook or a ZIP archive, packed once more with gzip. Unpack it first.")
    if not start.removeprefix(b"\xef\xbb\xbf").strip():
        raise Unreadable("The file is empty.")
    if not utf_16(start) and (recognised := recognise_bytes(start, SAVE_AGAIN)):
        raise Unreadable(recognised)
    encoding = overrides.get("encoding") or encoding_of(start, _pieces(source, is_gzipped=is_gzipped))
    if encoding not in ENCODINGS:
        raise Unreadable(f"There is no encoding called {encoding}.")
    sample = _sample(start, encoding)
    if recognised := recognise_text(sample, SAVE_AGAIN):
        raise Unreadable(recognised)
    line_end = guesses.line_end_of(sample)
    sample = sample.translate(SWAPPED_ENDS) if line_end == "\r" else sample
    quote = overrides.get("quote", '"')
    found, lines = _split(sample, overrides, quote)
    if is_wrapped := guesses.are_wrapped(lines):
        sample = b"".join(guesses.unwrap([sample.encode()])).decode()
        found, lines = _split(sample, overrides, quote)
    refuse_orders(lines)
    layout = guesses.layout_of(lines, overrides.get("header_line"))
    return Reading(
        kind=Kind.CSV,
        columns=layout.columns,
        header_line=layout.header_line,
        first_line=layout.first_line,
        encoding=encoding,
        separator=found or _SEPARATOR,
        quote=quote,
        line_end=line_end,
        is_gzipped=is_gzipped,
        is_wrapped=is_wrapped,
        numbers=guesses.number_columns(layout, lines),
        unsure=_unsure(
            {
                Unsure.HEADER: not layout.is_sure,
                Unsure.SEPARATOR: not found,
                Unsure.ENCODING: encoding == LAST_RESORT and "encoding" not in overrides,
            }
        ),
    )


def _split(sample: str, overrides: Overrides, quote: str) -> tuple[str | None, list[guesses.Line]]:
    """The separator that was found or chosen, if any, and the first records. Raises Unreadable."""
    found = overrides.get("separator") or guesses.named_separator(sample) or guesses.separator_of(sample, quote)
    separator = found or _SEPARATOR
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n':
        raise Unreadable("The separator must be one character: a comma, a semicolon, a tab, or another one.")
    return found, guesses.split(sample, separator, quote)


def _sample(start: bytes, encoding: str) -> str:
    """The beginning of the file as text, cut at the end of a line if it is not the whole."""
    is_wide = encoding == "utf-8" or encoding in TRANSCRIBED
    text = start.decode(encoding, "replace") if is_wide else decode(start, encoding)
    text = text.removeprefix("\ufeff")
    if len(start) < SAMPLE_BYTES:
        return text
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
