"""Tells the encoding of a foreign file, and decodes it."""

import codecs
from collections.abc import Iterable, Iterator
from functools import cache

from app.csvfile.kinds import utf_16
from app.imports.foreign.shapes import Unreadable

#: The encodings that can be chosen, with their names for people, the likeliest first.
ENCODINGS = {
    "utf-8": "UTF-8",
    "windows-1252": "Windows-1252 (Western Europe)",
    "utf-16-le": "UTF-16 (“Unicode text”)",
    "utf-16-be": "UTF-16, big-endian",
    "iso-8859-15": "ISO-8859-15 (Western Europe)",
    "mac_roman": "Mac Roman (old Macs)",
    "windows-1250": "Windows-1250 (Central Europe)",
    "windows-1251": "Windows-1251 (Cyrillic)",
    "windows-1253": "Windows-1253 (Greek)",
    "windows-1254": "Windows-1254 (Turkish)",
    "cp850": "DOS (code page 850)",
    "shift_jis": "Shift JIS (Japanese)",
    "gb18030": "GB 18030 (Chinese, simplified)",
    "big5": "Big5 (Chinese, traditional)",
    "euc_kr": "EUC-KR (Korean)",
}
#: What a file is taken for that is neither UTF-8 nor UTF-16.
LAST_RESORT = "windows-1252"

_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def encoding_of(start: bytes, pieces: Iterable[bytes]) -> str:
    """The encoding of the file that begins with ``start`` and whose bytes are ``pieces``.

    A mark decides; then NULs in every second place (UTF-16); then whether all of it is UTF-8. Anything else is
    LAST_RESORT.
    """
    marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
    return marked or utf_16(start) or ("utf-8" if _is_utf_8(pieces) else LAST_RESORT)


def _is_utf_8(pieces: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for piece in pieces:
            # Several times as fast as decoding.
            if not (piece.isascii() and not decoder.getstate()[0]):
                decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


@cache
def _table(encoding: str) -> str:
    """The character of each byte in an encoding of one byte a character; an undefined one is the control character."""
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in range(256))


def decode(data: bytes, encoding: str) -> str:
    """``data`` in UTF-8 or an encoding of one byte a character as text. Raises UnicodeDecodeError for UTF-8 alone."""
    if encoding == "utf-8":
        return data.decode()
    return codecs.charmap_decode(data, "strict", _table(encoding))[0]


def to_utf_8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The text of ``pieces`` in UTF-8, without a mark at its beginning.

    Raises Unreadable for bytes that are no text in the encoding.
    """
    lines = 1
    is_first = True
    try:
        for text in codecs.iterdecode(pieces, "utf-8-sig" if encoding == "utf-8" else encoding):
            if is_first:
                text, is_first = text.removeprefix("\ufeff"), False
            lines += text.count("\n")
            yield text.encode("utf-8", "replace")
    except UnicodeDecodeError:
        raise undecodable(encoding, lines) from None


def undecodable(encoding: str, line: int) -> Unreadable:
    """The error for bytes on ``line`` or soon after that are no text in the encoding."""
    return Unreadable(
        f"Line {line} has characters that cannot be read as {ENCODINGS[encoding]}. Choose another encoding.", line
    )
