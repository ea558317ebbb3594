"""The error of a storage that answers but denies access."""


class StorageRefused(OSError):
    """The storage answers but denies access; the message is a sentence that says why."""
