"""Small disks that can be filled, for the tests of what a full one costs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk_at(path: Path, *, kilobytes: int) -> Iterator[Path]:
    """A disk of that size at ``path``. Skips the test where none can be mounted, as only root may do."""
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0755", "tmpfs", str(path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk cannot be mounted here: this needs root")
    try:
        yield path
    finally:
        # It is gone from the tree at once, and for good when the last process leaves it.
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte of the disk free; the file ``full`` on it takes them all."""
    with (disk / "full").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
