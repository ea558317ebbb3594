"""The storage of uploaded files: one small interface, the same on a local disk and on S3."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol
from urllib.parse import unquote, urlsplit

from flask import current_app

from app.config import ConfigError, Settings
from app.storage.local import LocalStorage

#: Size of one ranged read, in bytes.
READ_BYTES = 1 << 20


class StorageRefused(OSError):
    """The storage answers but denies access; the message is a sentence that says why."""


class Writer(Protocol):
    """An object that is being written and does not exist before ``commit``."""

    def write(self, data: bytes) -> None:
        """Append ``data``."""

    def commit(self) -> None:
        """Make the object exist, durably and whole."""


class Storage(Protocol):
    """A place for objects that are written once, read in ranges, and deleted."""

    def create(self, key: str) -> AbstractContextManager[Writer]:
        """Write the object ``key``; leaving the context without ``commit`` leaves nothing behind."""

    def read(self, key: str, start: int, end: int) -> bytes:
        """The bytes ``start`` (inclusive) to ``end`` (exclusive).

        Raises FileNotFoundError when there is no such object, and OSError when it cannot be read whole.
        """

    def delete(self, key: str) -> None:
        """Remove the object; one that does not exist is no error."""

    def check(self) -> None:
        """Raise OSError unless the storage can be reached and written to."""

    def list_keys(self, *, older_than_seconds: float) -> Iterator[str]:
        """The keys of all objects older than that. Raises OSError."""

    def clean(self, *, older_than_seconds: float) -> int:
        """Delete what dead processes have left of unfinished objects. Returns their number. Raises OSError."""


def current_storage() -> Storage:
    """The storage of the current application."""
    storage: Storage = current_app.extensions["sluice_storage"]
    return storage


def open_storage(settings: Settings) -> Storage:
    """The storage that STORAGE_URL names. Raises ConfigError for an unknown kind of URL."""
    parts = urlsplit(settings.storage_url)
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return LocalStorage(unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        # Imported here, because it costs a second and 30 MB, and most installations do not use it.
        from app.storage.s3 import S3Storage

        options = settings.s3_endpoint_url, settings.s3_server_side_encryption, settings.s3_kms_key_id
        return S3Storage(parts.netloc, parts.path, *options)
    raise ConfigError("STORAGE_URL must be file:///path or s3://bucket/prefix.")


def iter_range(storage: Storage, key: str, start: int, end: int) -> Iterator[bytes]:
    """The bytes ``start`` to ``end`` of an object, READ_BYTES at a time."""
    for at in range(start, end, READ_BYTES):
        yield storage.read(key, at, min(at + READ_BYTES, end))
