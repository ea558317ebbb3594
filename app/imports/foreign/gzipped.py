"""Unpacks gzip piece by piece, never more than a limit."""

import zlib
from collections.abc import Iterable, Iterator

from app.imports.foreign.shapes import Unreadable

#: Number of bytes of the unpacked file.
MAX_UNPACKED_BYTES = 2 * 1024**3
_PIECE_BYTES = 1024 * 1024
#: The first bytes of a file.
MAGIC = b"\x1f\x8b"
#: For zlib: with the header of gzip.
_GZIP = 31


def unzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The unpacked bytes of a gzip file; several one after the other are one.

    Raises Unreadable if it is damaged, cut off, or unpacks to more than MAX_UNPACKED_BYTES.
    """
    unpacked = 0
    unzipper, is_open = zlib.decompressobj(_GZIP), True
    for piece in pieces:
        rest, data = piece, b""
        # A full piece may not have been all.
        while rest or len(data) == _PIECE_BYTES:
            if not is_open:
                if not rest.startswith(MAGIC):
                    # Padding.
                    return
                unzipper, is_open = zlib.decompressobj(_GZIP), True
            try:
                data = unzipper.decompress(rest, _PIECE_BYTES)
            except zlib.error:
                raise _damaged() from None
            unpacked += len(data)
            if unpacked > MAX_UNPACKED_BYTES:
                raise Unreadable(f"The file has more than {MAX_UNPACKED_BYTES // 1024**3} GiB when unpacked. Split it.")
            if data:
                yield data
            is_open = not unzipper.eof
            rest = unzipper.unconsumed_tail if is_open else unzipper.unused_data
            data = data if is_open else b""
    if is_open:
        raise _damaged()


def _damaged() -> Unreadable:
    return Unreadable("The file is compressed with gzip, and damaged or cut off. Export or download it again.")


def beginning(pieces: Iterable[bytes], size: int) -> bytes:
    """The first ``size`` bytes of ``pieces``, or all of them."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= size:
            break
    return start[:size]
