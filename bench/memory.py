"""Memory of processes and their children: the peak that the kernel records (VmHWM), and what is private to each."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

_PROC = Path("/proc")
#: A work-horse lives for some seconds; its growth after the last reading is missed.
_LOOK_SECONDS = 0.25


def is_known() -> bool:
    """Whether this system records it."""
    return (_PROC / "self" / "status").exists()


def peak_bytes(pid: int) -> int:
    """The peak resident memory of a process; 0 if it has ended."""
    return _read(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Have the peak of a process count from now on."""
    with contextlib.suppress(OSError):
        (_PROC / str(pid) / "clear_refs").write_text("5")


def resident_bytes(pid: int) -> int:
    """The resident memory of a process; 0 if it has ended."""
    return _read(pid, "VmRSS")


def private_bytes(pid: int) -> int:
    """The memory that a process has written and no other process has: its private dirty pages; 0 if it has ended.

    What a work-horse shares with the worker that forked it is not counted. Nor are clean pages, which are those of
    mapped files: the kernel can drop them, and counts them as private as long as a single process has touched them.
    """
    return _read(pid, "Private_Dirty", "smaps_rollup")


def _read(pid: int, name: str, file: str = "status") -> int:
    with contextlib.suppress(OSError):
        if found := re.search(rf"^{name}:\s+(\d+) kB", (_PROC / str(pid) / file).read_text(), re.MULTILINE):
            return int(found[1]) * 1024
    return 0


def family(pid: int) -> list[int]:
    """A process with all its descendants."""
    members = [pid]
    for member in members:
        with contextlib.suppress(OSError):
            for children in (_PROC / str(member) / "task").glob("*/children"):
                members += map(int, children.read_text().split())
    return members


class Watch:
    """Observes a process and its children in the background, and records the highest peak of each.

    With ``resident_bytes`` or ``private_bytes`` for ``read``, the peaks count from the start of the observation and not
    of the processes.
    """

    def __init__(self, pid: int, read: Callable[[int], int] = peak_bytes) -> None:
        self._pid = pid
        self._read = read
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        #: In bytes, by process id.
        self.peaks: dict[int, int] = {}

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def highest(self) -> int:
        """The highest peak of any of the processes, in bytes."""
        return max(self.peaks.values(), default=0)

    def _look(self) -> None:
        while True:
            for pid in family(self._pid):
                self.peaks[pid] = max(self.peaks.get(pid, 0), self._read(pid))
            if self._is_over.wait(_LOOK_SECONDS):
                return
