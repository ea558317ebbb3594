"""Waits for the end of the trials, and stops the private servers if the trials were killed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from pathlib import Path

import psutil


def main(root: Path) -> None:
    """Wait until the other end of standard input is closed, then clean up what is left under ``root``."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    if not root.exists():
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # Servers that were started for this directory have it in their command line.
            if process.pid != psutil.Process().pid and any(str(root) in word for word in process.cmdline()):
                process.send_signal(signal.SIGQUIT if "postgres" in process.name() else signal.SIGKILL)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
