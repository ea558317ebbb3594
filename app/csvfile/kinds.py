"""Recognises files that are not CSV by their first bytes."""

import re
import zlib
from collections.abc import Iterator

from app.csvfile.errors import SAVE_AS_CSV

#: The bytes with which a file begins that is compressed with gzip, and what to do about a broken one.
GZIP = b"\x1f\x8b"
BROKEN_GZIP = "The file is compressed with gzip, and damaged or cut off. Export or download it again."
_UNPACKED_BYTES = 1 << 20
#: The bytes with which every entry of a ZIP archive begins.
_ZIP_ENTRY = b"PK\x03\x04"
_EXTRACT = "Extract it, and upload the CSV file that is in it."
#: Old workbooks and protected ones are files of the same kind, in which the latter have an entry of this name.
_OLD_WORKBOOK = "This is an old Excel workbook (.xls), not a CSV file. {save}"
_WORKBOOK = "This is an Excel workbook, not a CSV file. {save}"
_PROTECTED = "This workbook is protected by a password. Open it, and remove the password. {save}"
_PROTECTED_ENTRY = "EncryptedPackage".encode("utf-16-le")

#: The first bytes of each kind of file, with its sentences, which say at {save} how to save it. The first match counts.
_SIGNATURES: dict[bytes | tuple[bytes, ...], str] = {
    b"\xd0\xcf\x11\xe0": _OLD_WORKBOOK,
    GZIP: f"This file is compressed with gzip. {_EXTRACT}",
    (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"): (
        f"This is a compressed archive, not a CSV file. {_EXTRACT}"
    ),
    b"%PDF-": "This is a PDF, not a CSV file. Upload the table from which it was made, saved as CSV.",
    b"{\\rtf": "This is a formatted text (RTF), not a CSV file. Copy its table into a spreadsheet. {save}",
    (b"\x89PNG", b"\xff\xd8\xff", b"GIF8"): (
        "This is an image, not a CSV file. Upload the file that your program saves or exports as CSV."
    ),
}

#: The same by the beginning of the text, ignoring case and leading white space.
_BEGINNINGS: dict[re.Pattern[str], str] = {
    re.compile(r"<\?xml(?s:.)*schemas-microsoft-com:office:spreadsheet"): (
        "This is an Excel workbook in XML, not a CSV file. {save}"
    ),
    re.compile(r"<(?:!doctype\s+html|html|head|body|table|meta|script|div)\b"): (
        "This is a web page, not a list of listings. Perhaps the download failed and an error or sign-in page was "
        "saved in its place: open the file to see it, then download the list again, as CSV."
    ),
    re.compile(r"<(?:\?xml|!--|!doctype|[a-z_][\w.:-]*[\s/>])"): (
        "This is XML, not a CSV file. Export the list from your program again, as CSV."
    ),
    re.compile(r'(?:\{\s*["}]|\[\s*[\[{"\]])'): (
        "This is JSON, not a CSV file. Export the list from your program again, as CSV."
    ),
}

_UTF_16 = "The file is encoded as UTF-16 (“Unicode text”), not as UTF-8. {save}"
#: Number of characters that show whether a file without a mark is UTF-16: each has a NUL before or after its byte.
_UTF_16_CHARACTERS = 16


def recognise_bytes(start: bytes, save: str = SAVE_AS_CSV) -> str | None:
    """What a file that begins with ``start`` is, and what to do, in sentences; None if it may be text in UTF-8.

    ``save`` is the sentence that says how to save it instead.
    """
    if start.startswith(_ZIP_ENTRY):
        says: str | None = _recognise_zip(start)
    elif utf_16(start):
        says = _UTF_16
    else:
        says = next((says for signature, says in _SIGNATURES.items() if start.startswith(signature)), None)
    if says is _OLD_WORKBOOK and _PROTECTED_ENTRY in start:
        says = _PROTECTED
    return says and says.format(save=save)


def recognise_text(start: str, save: str = SAVE_AS_CSV) -> str | None:
    """What a text that begins with ``start`` is, and what to do, in sentences; None if it may be CSV."""
    begins = start.lstrip().lower()
    says = next((says for pattern, says in _BEGINNINGS.items() if pattern.match(begins)), None)
    return says and says.format(save=save)


def holds_table(start: bytes) -> bool:
    """Whether a file that begins with ``start`` is a new Excel workbook, or compressed text."""
    return start.startswith(GZIP) or (start.startswith(_ZIP_ENTRY) and _recognise_zip(start) == _WORKBOOK)


def is_broken_gzip(start: bytes, *, is_whole: bool) -> bool:
    """Whether a gzip file that begins with ``start``, which may be the whole of it, is damaged or cut off there."""
    unpacker = zlib.decompressobj(wbits=31)
    unpacked = 0
    try:
        # In pieces: little may unpack to very much.
        while start or unpacked == _UNPACKED_BYTES:
            unpacked = len(unpacker.decompress(start, _UNPACKED_BYTES))
            start = b"" if unpacker.eof else unpacker.unconsumed_tail
    except zlib.error:
        return True
    return is_whole and not unpacker.eof


def utf_16(start: bytes) -> str | None:
    """The codec of a file in UTF-16 that begins with ``start``: ``utf-16-le`` or ``utf-16-be``; None if it is not."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16-le" if start[:1] == b"\xff" else "utf-16-be"
    characters = start[: 2 * _UTF_16_CHARACTERS]
    if len(characters) < 2 * _UTF_16_CHARACTERS:
        return None
    first, second = characters[::2], characters[1::2]
    if all(first) and not any(second):
        return "utf-16-le"
    return "utf-16-be" if all(second) and not any(first) else None


def _recognise_zip(start: bytes) -> str:
    names = [*_entries(start)]
    if any(name.startswith(("xl/", "[Content_Types].xml", "docProps/")) for name in names):
        if any(name.startswith(("word/", "ppt/")) for name in names):
            return "This is an Office document, not a CSV file. Copy its table into a spreadsheet. {save}"
        return _WORKBOOK
    if b"application/vnd.oasis.opendocument.spreadsheet" in start:
        return "This is a LibreOffice workbook, not a CSV file. {save}"
    if any(name.startswith("Index/") for name in names):
        return "This is a Numbers workbook, not a CSV file. In Numbers choose File, Export To, “CSV”, encoding UTF-8."
    if any(names):
        return f"This is a ZIP archive, not a CSV file. {_EXTRACT}"
    return "This is a workbook or a ZIP archive, not a CSV file. {save}"


def _entries(start: bytes) -> Iterator[str]:
    """The names of a ZIP archive's entries that are in its first bytes (APPNOTE.TXT, 4.3.7)."""
    at = 0
    while (at := start.find(_ZIP_ENTRY, at)) >= 0:
        length = int.from_bytes(start[at + 26 : at + 28], "little")
        yield start[at + 30 : at + 30 + length].decode("utf-8", "replace")
        at += len(_ZIP_ENTRY)
