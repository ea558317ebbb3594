"""What a storage raises that answers, and lets nobody in."""

from __future__ import annotations


class StorageRefused(OSError):
    """The storage answers, but does not let Sluice do what it must; the message is a sentence that says why."""
