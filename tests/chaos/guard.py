"""Waits for the end of the trials, and ends the private servers should the trials have been killed before that."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from pathlib import Path

import psutil


def main(root: Path) -> None:
    """Wait until the other end of standard input is gone, then see to what is left under ``root``."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    if not root.exists():
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # The mark of servers that were started for this directory.
            if process.pid != psutil.Process().pid and any(str(root) in word for word in process.cmdline()):
                process.send_signal(signal.SIGQUIT if "postgres" in process.name() else signal.SIGKILL)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
