"""Real processes of Sluice, for the tests that kill them."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

ROOT = Path(__file__).resolve().parent.parent
Found = TypeVar("Found")


def wait_until(question: Callable[[], Found], *, seconds: float = 300) -> Found:
    """Wait for a true answer to ``question``, and return it. Fails the test if there is none in time.

    A busy machine may take its time; a test that passes never waits this long.
    """
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if answer := question():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {question.__name__}")


@contextmanager
def workers(environ: dict[str, str], count: int = 2, *, on: Sequence[str] = ()) -> Iterator[psutil.Process]:
    """A supervisor with ``count`` workers, ready for jobs; it is killed in the end.

    ``on`` is a command that runs it elsewhere.
    """
    command = [*on, sys.executable, "worker.py"]
    process = subprocess.Popen(command, cwd=ROOT, env={**environ, "WORKERS": str(count)})
    supervisor = psutil.Process(process.pid)
    try:
        # One of them is a deliverer.
        wait_until(lambda: len(supervisor.children()) > count)
        yield supervisor
    finally:
        family = [supervisor, *supervisor.children(recursive=True)] if supervisor.is_running() else []
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            for member in family:
                kill(member)
            process.wait(60)
            raise AssertionError("the workers did not leave when asked to") from None


@contextmanager
def web_server(environ: dict[str, str], *, on: Sequence[str] = (), port: int = 0) -> Iterator[int]:
    """A web server on a port of 127.0.0.1, started with ``on``; on ``port`` if given."""
    if not port:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
    process = subprocess.Popen(
        [*on, sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"],
        cwd=ROOT,
        env={**environ, "PORT": str(port), "WEB_CONCURRENCY": "1"},
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(60)


def answers(url: str) -> bool:
    """Whether a page can be loaded."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def horses(supervisor: psutil.Process) -> list[psutil.Process]:
    """The running work-horses."""
    return [horse for worker in supervisor.children() for horse in children(worker)]


def children(process: psutil.Process) -> list[psutil.Process]:
    """The children of a process, which may have ended already."""
    try:
        return process.children()
    except psutil.NoSuchProcess:
        return []


def die_with_parent() -> None:
    """Have the kernel kill this newly forked process when its parent dies."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill(process: psutil.Process) -> None:
    """Kill a process at once."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
