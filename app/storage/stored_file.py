"""A stored object as a file that can be read at any place, as programs for workbooks and archives need it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from app.storage import Storage

#: Read at once, in bytes.
_READ_BYTES = 1 << 20


def open_stored(storage: Storage, key: str, size: int, *, on_read: Callable[[], None] = lambda: None) -> BinaryIO:
    """The object ``key`` of ``size`` bytes as a file. ``on_read`` is called before each ranged read."""
    return cast(BinaryIO, io.BufferedReader(_StoredFile(storage, key, size, on_read), _READ_BYTES))


class _StoredFile(io.RawIOBase):
    def __init__(self, storage: Storage, key: str, size: int, on_read: Callable[[], None]) -> None:
        self._storage = storage
        self._key = key
        self._size = size
        self._on_read = on_read
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        end = min(self._at + len(view), self._size)
        if self._at >= end:
            return 0
        self._on_read()
        data = self._storage.read(self._key, self._at, end)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
