"""Why a whole file is rejected at upload, and how to save it correctly in spreadsheet programs."""

from __future__ import annotations

#: How to save a file in the right format, in the programs that sellers use.
SAVE_AS_CSV = (
    "Save it again as CSV in UTF-8 with commas. Excel: Save As, “CSV UTF-8 (Comma delimited)”. LibreOffice: Save As, "
    "“Text CSV”, character set UTF-8, field delimiter comma. Google Sheets: File, Download, “Comma-separated values”."
)


class FileRejected(Exception):
    """The file cannot be imported at all; the message is a sentence for the seller.

    ``line`` is the physical line at which the problem was found, if known.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class ForeignFile(FileRejected):
    """The file is a table that was never meant to be in the import format: its columns can be matched instead."""


class OtherEncoding(FileRejected):
    """The file is not in UTF-8: what is matched may be in other encodings."""


class NoTable(FileRejected):
    """The file holds no table, or none that can be read: neither can its columns be matched."""


class FileTooLarge(FileRejected):
    """The file has more bytes than MAX_UPLOAD_BYTES."""

    @classmethod
    def beyond(cls, max_bytes: int) -> FileTooLarge:
        """The error for a file of more than ``max_bytes`` bytes."""
        return cls(f"The file is larger than {round_size_down(max_bytes)}. Split it into several files.")


def round_size_down(size: int) -> str:
    """A limit in bytes for people, in whole units, rounded down: a file of that size is always accepted."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size // unit:,} {name}"
    return f"{size} bytes"
