"""Unpacks gzip piece by piece, never more than a limit."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from app.csvfile.kinds import BROKEN_GZIP
from app.imports.foreign.shapes import Unreadable

#: Number of bytes of the unpacked file.
MAX_UNPACKED_BYTES = 2 * 1024**3
_PIECE_BYTES = 1024 * 1024
#: The first bytes of a file.
MAGIC = b"\x1f\x8b"


def unzip(source: BinaryIO) -> Iterator[bytes]:
    """The unpacked bytes of a gzip file; several one after the other are one.

    Raises Unreadable if it is damaged, cut off, or unpacks to more than MAX_UNPACKED_BYTES.
    """
    unpacked = 0
    try:
        with gzip.GzipFile(fileobj=source) as file:
            while data := file.read1(_PIECE_BYTES):
                unpacked += len(data)
                if unpacked > MAX_UNPACKED_BYTES:
                    raise Unreadable(
                        f"The file has more than {MAX_UNPACKED_BYTES // 1024**3} GiB when unpacked. Split it."
                    )
                yield data
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Unreadable(BROKEN_GZIP) from None


def beginning(pieces: Iterable[bytes], size: int) -> bytes:
    """The first ``size`` bytes of ``pieces``, or all of them."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= size:
            break
    return start[:size]
