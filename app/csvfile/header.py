"""The first line of a file: taken when it is exactly the header, explained when it is not."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator

from app.csvfile.contract import COLUMNS, HEADER
from app.csvfile.rejected import FileRejected

#: A header that has not ended by here is none.
MAX_HEADER_BYTES = 4096

_BOM = b"\xef\xbb\xbf"
_SPREADSHEETS = {
    b"PK\x03\x04": "an Excel or LibreOffice workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
}
_SAVE_AS_CSV = "In your spreadsheet choose “Save as” and then “CSV UTF-8 (comma delimited)”."
_COPY_HEADER = f"The first line must be exactly: {HEADER}"


def take_header(pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
    """The header line with its byte-order mark and line ending, and the bytes that were read beyond it.

    Reads no more of ``pieces`` than it takes to judge. Raises FileRejected with a sentence that says what is wrong
    with this very first line.
    """
    start = b""
    for piece in pieces:
        start += piece
        if b"\n" in start or len(start) > MAX_HEADER_BYTES:
            break
    if not start.strip():
        raise FileRejected("The file is empty. Start from the template: its first line is the header.")
    end = start.find(b"\n", 0, MAX_HEADER_BYTES) + 1 or min(len(start), MAX_HEADER_BYTES)
    line = start[:end]
    text = _decode(line)
    # A lone CR is the one thing that csv cannot split; it is explained below.
    names = [] if "\r" in text else next(csv.reader([text]), [])
    if names != list(COLUMNS):
        raise FileRejected(_explain(text, names), 1)
    return line, start[end:]


def _decode(line: bytes) -> str:
    for signature, kind in _SPREADSHEETS.items():
        if line.startswith(signature):
            raise FileRejected(f"This is {kind}, not a CSV file. {_SAVE_AS_CSV}")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRejected(f"The file is encoded as UTF-16 (“Unicode text”), not as UTF-8. {_SAVE_AS_CSV}", 1)
    if b"\0" in line:
        raise FileRejected(f"The first line contains a NUL byte, so this is not a text file. {_SAVE_AS_CSV}", 1)
    try:
        return line.removeprefix(_BOM).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise FileRejected(f"The first line is not UTF-8 text. {_SAVE_AS_CSV}", 1) from None


def _explain(text: str, names: list[str]) -> str:
    """What is wrong with a first line that reads ``text`` and splits into ``names``, in one or two sentences."""
    if "\r" in text:
        return f"The lines of this file end in a lone carriage return, as on old Macs. {_SAVE_AS_CSV}"
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and text.count(separator) >= 2:
            return f"The values in this file are separated by {name}, not by commas. {_SAVE_AS_CSV}"
    if not text.strip() or not any(name.strip() for name in names):
        return f"The first line is blank. Delete it: the header comes first. {_COPY_HEADER}"
    if not {_plain(name) for name in names} & set(COLUMNS):
        return f"The file has no header: its first line is a row of values. Put the header above it. {_COPY_HEADER}"
    if [name.strip() for name in names] == list(COLUMNS):
        return f"The header has spaces around a column's name. Remove them. {_COPY_HEADER}"
    if [_plain(name) for name in names] == list(COLUMNS):
        return f"The names of the columns must be in capital letters. {_COPY_HEADER}"
    return f"{_explain_columns(names)} {_COPY_HEADER}"


def _explain_columns(names: list[str]) -> str:
    missing = [column for column in COLUMNS if column not in names]
    extra = [name for position, name in enumerate(names) if name not in COLUMNS or name in names[:position]]
    misspelt = _pair_misspelt(names, missing, extra)
    sentences = [
        f"Column {names.index(wrong) + 1} of the header is called “{wrong[:40]}” and should be {right}."
        for wrong, right in misspelt.items()
    ]
    missing = [column for column in missing if column not in misspelt.values()]
    extra = [name for name in extra if name not in misspelt]
    if missing:
        needed = "values for them too, or empty ones" if len(missing) > 1 else "a value for it too, or an empty one"
        sentences.append(f"The header lacks {_columns(missing)}. Each row needs {needed}.")
    unnamed = sum(1 for name in extra if not name.strip())
    if unnamed:
        sentences.append(f"The header has {unnamed} column{'s' if unnamed > 1 else ''} without a name too many.")
    named = [f"“{name[:40]}”" for name in extra if name.strip()]
    if named:
        sentences.append(f"The header has {_columns(named[:5])} too many.")
    if extra:
        sentences.append(f"Delete {'their' if len(extra) > 1 else 'its'} values too.")
    if not sentences:
        at = next(i for i, (name, column) in enumerate(zip(names, COLUMNS, strict=False)) if name != column)
        sentences.append(
            f"The columns are out of order: column {at + 1} is {names[at]} and should be {COLUMNS[at]}. "
            "Move whole columns with their values: changing the names alone would import values into the wrong columns."
        )
    return " ".join(sentences)


def _pair_misspelt(names: list[str], missing: list[str], extra: list[str]) -> dict[str, str]:
    """Wrong names that stand for a missing column: by their place, or by their likeness."""
    pairs: dict[str, str] = {}
    for wrong in extra:
        left = [column for column in missing if column not in pairs.values()]
        in_place = [
            column for column in left if len(names) == len(COLUMNS) and names.index(wrong) == COLUMNS.index(column)
        ]
        alike = difflib.get_close_matches(_plain(wrong), left, n=1)
        if in_place or alike:
            pairs[wrong] = (in_place or alike)[0]
    return pairs


def _columns(names: list[str]) -> str:
    if len(names) == 1:
        return f"the column {names[0]}"
    return f"the columns {', '.join(names[:-1])} and {names[-1]}"


def _plain(name: str) -> str:
    return name.strip().upper().replace(" ", "_")
