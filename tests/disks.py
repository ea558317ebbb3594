"""Small disks that can be filled, for tests of full disks."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def small_disk_at(path: Path, *, kilobytes: int) -> Iterator[Path]:
    """A disk of this size at ``path``. Skips the test if none can be mounted, which only root may do."""
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
        # It disappears from the tree at once, and is released when the last process closes it.
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path) -> None:
    """Fill the disk completely, with the file ``full`` on it."""
    with (disk / "full").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
