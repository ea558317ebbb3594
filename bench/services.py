"""A complete installation in a temporary home: private servers at their defaults, real web server, real workers."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psycopg
from redis import Redis
from rq import Worker

from app.config import Settings
from app.jobs.queue import open_queue
from app.local.private_servers import Addresses, PrivateServers
from bench import CHECKOUT
from bench.browser import Browser

EMAIL = "seller@bench.example"
PASSWORD = "only for measurements"
#: The default polling interval.
LOOK_SECONDS = 0.05
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
#: The tables of an import; all others stay unchanged between measurements.
_TABLES = (
    "listings, row_errors, error_groups, earlier_values, kept_listings, batches, imports, "
    "fixings, answers, corrections, open_values"
)

_Found = TypeVar("_Found")


class BenchError(Exception):
    """A measurement is impossible; the message says why."""


class Child:
    """A program of the installation; its output goes to a log."""

    def __init__(self, name: str, command: list[str], log: Path, environ: dict[str, str]) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.environ = environ
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it in a separate process group, so that Ctrl-C reaches only this process."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environ,
                process_group=0,
            )

    def is_running(self) -> bool:
        """Whether it is running."""
        return self.process is not None and self.process.poll() is None

    def ending(self) -> str:
        """Its exit code, for a message."""
        return f"exit code {None if self.process is None else self.process.returncode}"

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to its process group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Installation:
    """Sluice as started by ``make run``, in a separate home. End it with ``close``."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
        self.home = self.root / "home"
        self._servers = PrivateServers(self.home)
        self.port = _free_port()
        self.workers: Child | None = None
        self._children: list[Child] = []
        self._sellers = 0
        self._environ = {
            **{name: value for name, value in os.environ.items() if name not in _product_settings()},
            "SLUICE_HOME": str(self.home),
            "PYTHONUNBUFFERED": "1",
        }
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        addresses = self.hold_servers()
        self.database_url = addresses.database_url.replace("+psycopg", "")
        self.redis_url = addresses.redis_url
        self.flask("db", "upgrade")
        self.flask("sellers", "create", EMAIL, "--password-stdin", answer=PASSWORD)
        #: Commits every statement.
        self.database = self.connect()
        self.web = self._child("web", ["-m", "gunicorn", "wsgi:app"], PORT=str(self.port))
        self.web.start()
        self.start_workers()
        browser = Browser(self.port)
        self.wait_until(lambda: browser.answers("/readyz"), _READY_SECONDS, "the web server serves")

    def hold_servers(self) -> Addresses:
        """Keep the private servers running until ``close``."""
        return self._servers.ensure()

    def close(self) -> None:
        """Stop everything and delete the home."""
        stop(self._children)
        with contextlib.suppress(AttributeError):
            self.database.close()
        self._servers.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    # --- Processes ---------------------------------------------------------------------------------------------------

    def start_workers(self, count: int = 2) -> None:
        """Replace the workers with ``count`` new ones, and wait until they are ready."""
        self.stop_workers()
        self.workers = self._child("workers", ["worker.py"], WORKERS=str(count))
        self.workers.start()
        with Redis.from_url(self.redis_url, socket_timeout=5) as client:
            # Deliverers do not count.
            jobs = open_queue(client)
            self.wait_until(lambda: Worker.count(queue=jobs) == count, _READY_SECONDS, f"{count} workers wait for work")

    def stop_workers(self) -> None:
        """Stop the workers, if they are running."""
        if self.workers is not None:
            stop([self.workers])
            self._children.remove(self.workers)
            self.workers = None

    def pid(self, child: Child | None) -> int:
        """The process id of a running child. Raises BenchError if it has ended."""
        if child is None or not child.is_running():
            raise BenchError("A program that was started has ended.")
        assert child.process is not None
        return child.process.pid

    def _child(self, name: str, arguments: list[str], **environ: str) -> Child:
        command = [sys.executable, *arguments]
        child = Child(name, command, self.root / f"{name}.log", {**self._environ, **environ})
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise BenchError if a program has ended unexpectedly."""
        for child in self._children:
            if not child.is_running():
                what = f"The {child.name} ended unexpectedly ({child.ending()})."
                raise BenchError(f"{what}\n{last_words(child.log)}")

    def wait_until(
        self, question: Callable[[], _Found], seconds: float, what: str, look: float = LOOK_SECONDS
    ) -> _Found:
        """Wait for a true answer to ``question``, and return it.

        Raises BenchError, which names ``what`` did not happen, after ``seconds`` or if a program has ended
        unexpectedly.
        """
        ends_at = time.monotonic() + seconds
        while not (answer := question()):
            self.check()
            if time.monotonic() > ends_at:
                raise BenchError(f"After {seconds:.0f} s it is still not so that {what}.")
            time.sleep(look)
        return answer

    def flask(self, *arguments: str, answer: str | None = None) -> None:
        """Run a command of the application."""
        self.python("-m", "flask", "--app", "wsgi", *arguments, answer=answer)

    def python(self, *arguments: str, answer: str | None = None) -> str:
        """Run a program with the settings of this installation, and return its output. Raises BenchError."""
        return run([sys.executable, *arguments], cwd=CHECKOUT, env=self._environ, answer=answer)

    # --- Database ----------------------------------------------------------------------------------------------------

    def connect(self) -> psycopg.Connection:
        """A connection that commits every statement."""
        return psycopg.connect(self.database_url, autocommit=True, application_name="bench")

    @contextlib.contextmanager
    def scratch_database(self) -> Iterator[str]:
        """The address of a separate, empty database on the same server, dropped afterwards."""
        self.database.execute("drop database if exists scratch with (force)")
        self.database.execute("create database scratch")
        try:
            yield self.database_url.replace("/sluice?", "/scratch?")
        finally:
            self.database.execute("drop database scratch with (force)")
            self.settle()

    def empty(self) -> None:
        """Delete all imports and listings, so that every measurement starts with the same database."""
        while not self._truncate():
            time.sleep(LOOK_SECONDS)
        shutil.rmtree(self.home / "storage", ignore_errors=True)
        self.settle()

    def _truncate(self) -> bool:
        try:
            self.database.execute(f"truncate {_TABLES} cascade")
        except psycopg.errors.DeadlockDetected:
            # A sweep locks the same tables in another order.
            return False
        return True

    def settle(self) -> None:
        """Have PostgreSQL write a checkpoint, so that no measurement pays for the previous one."""
        self.database.execute("vacuum")
        self.database.execute("checkpoint")

    # --- Sellers -----------------------------------------------------------------------------------------------------

    def sign_in(self) -> Browser:
        """A browser with a new seller signed in."""
        self._sellers += 1
        email = f"seller{self._sellers}@bench.example"
        self.database.execute(
            "insert into sellers (email, password_hash) select %s, password_hash from sellers where email = %s",
            (email, EMAIL),
        )
        browser = Browser(self.port)
        browser.sign_in(email, PASSWORD)
        return browser


def stop(children: list[Child]) -> None:
    """Stop programs, with time to finish their work."""
    running = [child for child in children if child.is_running()]
    for child in running:
        assert child.process is not None
        child.process.terminate()
    ends_at = time.monotonic() + _STOP_SECONDS
    while any(child.is_running() for child in running) and time.monotonic() < ends_at:
        time.sleep(LOOK_SECONDS)
    for child in running:
        child.signal_group(signal.SIGKILL)
        assert child.process is not None
        child.process.wait()


def run(command: list[str], *, cwd: Path, env: dict[str, str] | None = None, answer: str | None = None) -> str:
    """Run a program to its end and return its output. Raises BenchError with the end of its output if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        input=answer,
        stdin=subprocess.DEVNULL if answer is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        ending = f"{done.stdout}\n{done.stderr}".strip().splitlines()[-15:]
        # The first line appears in the table, so it leaves out the other arguments, which contain paths.
        name = " ".join([Path(command[0]).name, *command[1:3]]) if command[1] == "-m" else Path(command[1]).name
        raise BenchError("\n".join([f"{name} failed: {ending[-1] if ending else done.returncode}", *ending]))
    return done.stdout


def last_words(log: Path) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def _product_settings() -> set[str]:
    """Environment variables that are not inherited, so that the product's own settings apply."""
    return {field.name.upper() for field in dataclasses.fields(Settings)} | {"PORT", "WORKERS", "WEB_CONCURRENCY"}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
