"""Objects as files in a directory of a local or shared disk, readable only by the account that Sluice runs as."""

from __future__ import annotations

import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

#: A disk with less free space counts as full.
_LEAST_FREE_BYTES = 1 << 20


def require_room(directory: Path) -> None:
    """Raise OSError (ENOSPC) when the disk on which ``directory`` lies is full."""
    disk = os.statvfs(directory)
    # Some network file systems do not report their size.
    if disk.f_blocks and disk.f_bavail * disk.f_frsize < _LEAST_FREE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(directory))


class LocalStorage:
    """Stores each object in a file named by its key, which must consist of ids and never of a client's input."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root)

    @contextmanager
    def create(self, key: str) -> Iterator[_FileWriter]:
        """Write to a file beside the final one, which ``commit`` renames into its place."""
        path = self._path(key)
        _make_private(path.parent)
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            with open(part, "xb", opener=open_private) as file:
                yield _FileWriter(file, part, path)
        finally:
            part.unlink(missing_ok=True)

    def read(self, key: str, start: int, end: int) -> bytes:
        """The bytes ``start`` to ``end``; FileNotFoundError when there is no such file, OSError when it is shorter."""
        with self._path(key).open("rb", buffering=0) as file:
            data = os.pread(file.fileno(), end - start, start)
        if len(data) != end - start:
            raise OSError(f"The stored file {key} ends at byte {start + len(data)}, before byte {end}.")
        return data

    def delete(self, key: str) -> None:
        """Remove the file if it is there."""
        self._path(key).unlink(missing_ok=True)

    def check(self) -> None:
        """Raise OSError unless the directory can be written to and its disk has room."""
        _make_directories(self._root)
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._root))
        require_room(self._root)

    def list_keys(self, *, older_than_seconds: float) -> Iterator[str]:
        """The keys of the files that are older; a file that is deleted meanwhile is no error."""
        made_before = time.time() - older_than_seconds
        for path in self._root.rglob("*"):
            with suppress(FileNotFoundError):
                found = path.stat()
                if path.suffix != ".part" and stat.S_ISREG(found.st_mode) and found.st_mtime < made_before:
                    yield str(path.relative_to(self._root))

    def clean(self, *, older_than_seconds: float) -> int:
        """Delete the unfinished files of dead processes. Returns their number."""
        begun_before = time.time() - older_than_seconds
        count = 0
        for part in self._root.rglob("*.part"):
            # Its writer may rename or remove it at this moment.
            with suppress(FileNotFoundError):
                if part.stat().st_mtime < begun_before:
                    part.unlink()
                    count += 1
        return count

    def _path(self, key: str) -> Path:
        path = self._root / key
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise ValueError(f"The storage key {key!r} leads out of the storage.")
        return path


def _make_directories(directory: Path) -> None:
    """Create ``directory`` and its missing parents, which no other account can enter."""
    # Path.mkdir would create the parents with the mode of the umask.
    for missing in reversed([one for one in (directory, *directory.parents) if not one.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _make_private(directory: Path) -> None:
    """Create ``directory``, or close it to other accounts if an earlier release has left it open."""
    _make_directories(directory)
    state = directory.stat()
    if state.st_uid == os.geteuid() and state.st_mode & 0o077:
        directory.chmod(stat.S_IMODE(state.st_mode) & ~0o077)


def open_private(path: str, flags: int) -> int:
    """An opener for ``open``: a file that it creates is readable only by the account that Sluice runs as."""
    return os.open(path, flags, 0o600)


class _FileWriter:
    def __init__(self, file: BinaryIO, part: Path, path: Path) -> None:
        self._file = file
        self._part = part
        self._path = path

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def commit(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._part.rename(self._path)
        # Without this, a power cut could lose the new name although the bytes are safe.
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
