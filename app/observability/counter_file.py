"""A file of numbers in the format of prometheus_client, for which a full disk is not fatal.

The library maps sparse files into memory: if the disk has no room for a page, SIGBUS kills the process. With plain
writes the same condition is an OSError, and the numbers stay in memory until there is room.
"""

import errno
import logging
import os
import struct
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

log = logging.getLogger(__name__)

#: The number of bytes in use, and four bytes of padding.
_HEADER = struct.Struct("i4x")
#: The length of a name; the name follows, spaces up to a multiple of eight, and two doubles.
_LENGTH = struct.Struct("i")
_NUMBERS = struct.Struct("dd")


class CounterFile:
    """The numbers of one slot: all in memory, and in the file as far as the disk has room.

    Replaces prometheus_client's ``MmapedDict``, with the same methods. Not thread-safe.
    """

    def __init__(self, filename: str) -> None:
        self._path = Path(filename)
        self._descriptor: int | None = None
        self._values: dict[str, tuple[float, float]] = {}
        #: The offset in the file of each name's numbers.
        self._places: dict[str, int] = {}
        self._used = _HEADER.size
        #: The names whose numbers are not in the file yet; a dict, because it keeps the order.
        self._unsaved: dict[str, None] = {}
        self._load()

    def read_value(self, key: str) -> tuple[float, float]:
        """The number ``key`` and its time; a new one is 0, and is written to the file."""
        if key not in self._values:
            self.write_value(key, 0.0, 0.0)
        return self._values[key]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set a number and its time. If the disk is full, it stays in memory and is written later."""
        self._values[key] = value, timestamp
        was_behind = bool(self._unsaved)
        self._unsaved[key] = None
        try:
            for waiting in list(self._unsaved):
                self._save(waiting)
                del self._unsaved[waiting]
        except OSError as error:
            if not was_behind:
                log.warning("metrics are counted in memory: %s cannot be written (%s)", self._path, error.strerror)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _load(self) -> None:
        """Continue from the numbers of the slot's previous holder."""
        try:
            for key, value, timestamp, place in MmapedDict.read_all_values_from_file(self._path):  # type: ignore[no-untyped-call]
                self._values[key] = value, timestamp
                self._places[key] = place
                self._used = place + _NUMBERS.size
        except FileNotFoundError:
            return
        except (OSError, RuntimeError, ValueError, struct.error):
            log.warning("metrics start from zero: %s cannot be read", self._path, exc_info=True)
            self._values.clear()
            self._places.clear()
            self._used = _HEADER.size
            return
        if self._used > _HEADER.size:
            self._descriptor = os.open(self._path, os.O_RDWR)

    def _save(self, key: str) -> None:
        if self._descriptor is None:
            self._descriptor = self._make()
        numbers = _NUMBERS.pack(*self._values[key])
        if key in self._places:
            self._write(numbers, self._places[key])
            return
        name = key.encode()
        filling = b" " * (8 - (len(name) + _LENGTH.size) % 8)
        entry = _LENGTH.pack(len(name)) + name + filling + numbers
        self._write(entry, self._used)
        # Readers see it only now, so never a part of it.
        self._write(_HEADER.pack(self._used + len(entry)), 0)
        self._used += len(entry)
        self._places[key] = self._used - _NUMBERS.size

    def _make(self) -> int:
        """A new file. It gets its name when it has its header, as readers take an empty one for broken."""
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if os.write(descriptor, _HEADER.pack(self._used)) < _HEADER.size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            draft.rename(self._path)
        except OSError:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        return descriptor

    def _write(self, data: bytes, place: int) -> None:
        assert self._descriptor is not None
        if os.pwrite(self._descriptor, data, place) < len(data):
            # A partial write: there was room for only this much.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
