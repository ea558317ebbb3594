"""Splits single records into values, with the thorough reader of ``records``."""

import io
from collections.abc import Iterable

from app.csvfile.columns import NEWEST
from app.csvfile.contract import MAX_RECORD_BYTES
from app.csvfile.errors import FileRejected
from app.csvfile.records import read_records


def split_record(text: str) -> list[str]:
    """The values in the ``text`` of one record without its final line ending; its quotation marks may be broken.

    The values are those that an import reads, whatever the layout of its file. Their problems are not: they count lines
    from a record just below the header, and name the columns of the newest layout.
    """
    (cells,) = split_records([text])
    return cells


def split_records(texts: Iterable[str]) -> list[list[str]]:
    """The values of many records, several times as fast as one by one."""
    lines = io.StringIO("".join(f"{text}\n" for text in texts), newline="\n").readlines()
    return [record.cells for record in read_records(lines, 0, line=2, layout=NEWEST, is_last=True)]


def why_not_one_record(text: str) -> str:
    """Why ``text`` would not be one record of a file, in a sentence; empty if it would."""
    if not text.strip() or "\0" in text:
        return "The row is empty." if "\0" not in text else "The row has a NUL character in it."
    if len(text.encode()) >= MAX_RECORD_BYTES:
        return f"The row is longer than {MAX_RECORD_BYTES // 1024} KiB."
    lines = io.StringIO(f"{text}\n", newline="\n").readlines()
    try:
        _, *others = read_records(lines, 0, line=2, layout=NEWEST, is_last=True)
    except FileRejected:
        return "A quotation mark is opened in the row and never closed. Close it or delete it."
    return "Write one row only. A value with a line break needs quotation marks around it." if others else ""
