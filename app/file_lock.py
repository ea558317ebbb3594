"""Locks that one process of a host holds, on files; the kernel releases them when it and all its forks have ended."""

import fcntl
import os
from pathlib import Path


def take(path: Path) -> int | None:
    """Lock the file at ``path``, and create it if necessary; None if another process has it.

    Closing the file with this descriptor releases the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
