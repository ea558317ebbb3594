"""Reads any table that a seller has: detects how, tells what is unreadable or no stock, and gives its rows in blocks.

    reading = detect(source, overrides={})
    for block in blocks(source, reading): ...

The *text* of a file, to which the places of rows refer, is the file itself for CSV in UTF-8 and in encodings of one
byte a character. For UTF-16, gzip and workbooks it is the CSV in UTF-8 that ``transcribe`` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from app.csvfile.kinds import recognise_bytes, recognise_text, utf_16
from app.imports.foreign import guesses
from app.imports.foreign.delimited import read_text
from app.imports.foreign.encodings import ENCODINGS, LAST_RESORT, decode, encoding_of, to_utf_8
from app.imports.foreign.orders import refuse_orders
from app.imports.foreign.shapes import (
    TRANSCRIBED,
    Block,
    Kind,
    Note,
    NotStock,
    Overrides,
    Reading,
    Unreadable,
    Unsure,
)

__all__ = [
    "Block",
    "Kind",
    "NotStock",
    "Note",
    "Overrides",
    "Reading",
    "Unreadable",
    "Unsure",
    "blocks",
    "detect",
    "text_reading",
    "transcribe",
]

#: Number of bytes from which the dialect is guessed, and of a piece that is read.
SAMPLE_BYTES = 256 * 1024
PIECE_BYTES = 1024 * 1024
#: A table of more columns is none.
MAX_COLUMNS = 500


def detect(source: BinaryIO, *, overrides: Overrides) -> Reading:
    """How the file is read, as ``overrides`` say and otherwise as is likely; reads all of it once.

    Raises Unreadable if it is no table or empty, or if it cannot be read as ``overrides`` say, and NotStock if it holds
    orders or data of buyers.
    """
    source.seek(0)
    start = source.read(SAMPLE_BYTES)
    _refuse_kinds(start)
    reading = _detect_text(source, start, overrides)
    refuse_orders(reading.columns)
    return reading


def blocks(source: BinaryIO, reading: Reading) -> Iterator[Block]:
    """The rows of the file, in order, without blank ones, read as ``reading`` says; memory stays flat.

    ``source`` is the file that was detected; or its text, with ``text_reading``. Raises Unreadable for what cannot be
    read.
    """
    return read_text(_text(source, reading), text_reading(reading))


def transcribe(source: BinaryIO, reading: Reading, out: BinaryIO) -> Reading:
    """Write the text of the file to ``out``, and return how that is read."""
    for piece in _text(source, reading):
        out.write(piece)
    return text_reading(reading)


def text_reading(reading: Reading) -> Reading:
    """How the text of the file is read: the reading itself if the file is its own text."""
    if reading.is_text:
        return reading
    return replace(reading, encoding="utf-8", is_gzipped=False)


def _text(source: BinaryIO, reading: Reading) -> Iterator[bytes]:
    return _pieces(source) if reading.is_text else to_utf_8(_pieces(source), reading.encoding)


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    source.seek(0)
    while piece := source.read(PIECE_BYTES):
        yield piece


def _refuse_kinds(start: bytes) -> None:
    if not start.removeprefix(b"\xef\xbb\xbf").strip():
        raise Unreadable("The file is empty.")
    if not utf_16(start) and (recognised := recognise_bytes(start)):
        raise Unreadable(recognised)


def _detect_text(source: BinaryIO, start: bytes, overrides: Overrides) -> Reading:
    encoding = overrides.get("encoding") or encoding_of(start, _pieces(source))
    if encoding not in ENCODINGS:
        raise Unreadable(f"There is no encoding called {encoding}.")
    sample = _sample(start, encoding)
    if recognised := recognise_text(sample):
        raise Unreadable(recognised)
    line_end = guesses.line_end_of(sample)
    quote = overrides.get("quote", '"')
    found = overrides.get("separator") or guesses.named_separator(sample) or guesses.separator_of(sample, quote)
    separator = found or ","
    if len(separator) != 1 or not separator.isascii() or separator in '"\r\n':
        raise Unreadable("The separator must be one character: a comma, a semicolon, a tab, or another one.")
    layout = guesses.layout_of(guesses.split(sample, separator, quote), overrides.get("header_line"))
    if len(layout.columns) > MAX_COLUMNS:
        raise Unreadable(f"The file has more than {MAX_COLUMNS} columns. Delete those that are not needed.")
    unsure = [
        *([] if layout.is_sure else [Unsure.HEADER]),
        *([] if found else [Unsure.SEPARATOR]),
        *([Unsure.ENCODING] if encoding == LAST_RESORT and "encoding" not in overrides else []),
    ]
    above = tuple(sample.splitlines()[: (layout.header_line or layout.first_line) - 1])
    return Reading(
        kind=Kind.CSV,
        columns=layout.columns,
        header_line=layout.header_line,
        first_line=layout.first_line,
        encoding=encoding,
        separator=separator,
        quote=quote,
        line_end=line_end,
        above=above,
        unsure=tuple(str(one) for one in unsure),
    )


def _sample(start: bytes, encoding: str) -> str:
    """The beginning of the file as text, cut at the end of a line if it is not the whole."""
    if encoding in TRANSCRIBED:
        text = start.decode(encoding, "replace")
    else:
        text = start.decode("utf-8", "replace") if encoding == "utf-8" else decode(start, encoding)
    text = text.removeprefix("\ufeff")
    if len(start) < SAMPLE_BYTES:
        return text
    return text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
