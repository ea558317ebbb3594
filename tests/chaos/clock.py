"""A clock that can be set forward and back while processes run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

_LIBRARY = "vendor/libfaketime/src/libfaketime.so.1"
_SHARED_MEMORY = Path("/dev/shm")


class SteppingClock:
    """The clock of processes that are started with its ``environ``: libfaketime intercepts their system calls."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        # The servers may run under another account, which perhaps cannot read the installed packages.
        directory.chmod(0o755)
        self._directory = directory
        self._offset = directory / "offset"
        library = directory / "libfaketime.so.1"
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            # Every reading of the clock reads the file.
            "FAKETIME_NO_CACHE": "1",
            # A step of the clock does not affect the measurement of durations.
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.step_to(0)
        spec = importlib.util.find_spec("libfaketime")
        installed = Path((spec and spec.submodule_search_locations or ["/"])[0]) / _LIBRARY
        #: Whether it works here: the package contains a library for one system only.
        self.works = installed.exists()
        if self.works:
            shutil.copyfile(installed, library)
            library.chmod(0o755)
            self.works = self._is_obeyed()

    def step_to(self, offset_seconds: int) -> None:
        """Set the clock to this many seconds before or after the true time."""
        new = self._directory / "offset.new"
        new.write_text(f"{offset_seconds:+}\n")
        new.chmod(0o644)
        new.replace(self._offset)

    def close(self) -> None:
        """Remove what its processes have left behind, especially if they were killed."""
        for path in _SHARED_MEMORY.glob("*faketime_s*_*"):
            if not psutil.pid_exists(int(path.name.rpartition("_")[2])):
                path.unlink(missing_ok=True)

    def _is_obeyed(self) -> bool:
        self.step_to(3600)
        done = subprocess.run(
            [sys.executable, "-c", "import time; print(time.time())"],
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        self.step_to(0)
        return done.returncode == 0 and float(done.stdout) > time.time() + 3000
