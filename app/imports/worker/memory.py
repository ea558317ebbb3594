"""Keeps the memory that processes free: each block of a file needs the same megabytes again."""

import ctypes

import pyarrow as pa

#: ``M_TRIM_THRESHOLD`` and ``M_MMAP_THRESHOLD`` of glibc's ``mallopt``.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: The most that glibc allows for the second.
_KEPT_BYTES = 32 << 20


def keep_freed() -> None:
    """Return freed memory to the kernel in this process and its forks only when there is much of it.

    What is returned must be filled with zeros when it is needed again. Without glibc, only Arrow's memory is kept.
    """
    # Arrow's own pool returns its memory after some milliseconds.
    pa.set_memory_pool(pa.system_memory_pool())
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _KEPT_BYTES)
