"""``make run``: everything that Sluice consists of, started together, watched, and stopped together."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from app.config import ConfigError, Settings, load_settings
from app.local.private_servers import EmbeddedServerError, ensure_servers, release

#: The checkout, where the children find ``wsgi.py`` and ``worker.py``.
CHECKOUT = Path(__file__).resolve().parents[2]
DEMO_EMAIL = "demo@sluice.example"
DEMO_PASSWORD = "sluice-demo"
#: Ctrl-C, and what service managers send.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds until the pages must be ready.
READY_SECONDS = 60.0
#: Seconds that the children have to finish what they are at when all is stopped.
DRAIN_SECONDS = 20.0
#: Seconds between two looks at the children and the private servers.
LOOK_SECONDS = 1.0
#: Longest wait before a child that keeps dying is started again; the first is a second, and each doubles.
MAX_BACK_OFF_SECONDS = 30.0
#: A child that lived so long has recovered, and its next death counts as its first.
HEALTHY_SECONDS = 60.0


class LaunchError(Exception):
    """Sluice cannot be started; the message says why."""


class Stop(BaseException):
    """Somebody wants everything stopped. Not an Exception, so that nothing on the way takes it for a failure."""


def main() -> int:
    """Run Sluice until it is told to stop, and return the exit code.

    0 after a stop, 1 when something does not start, 2 when a setting cannot be used.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, _raise_stop)
    # The defaults of the children are this process's too.
    os.chdir(CHECKOUT)
    try:
        settings = load_settings()
        port = _number("PORT", 8000)
        _number("WEB_CONCURRENCY", 2)
        _number("WORKERS", 2)
        _refuse_taken(port)
    except (ConfigError, LaunchError) as error:
        click.echo(str(error), err=True)
        return 2
    children: list[Child] = []
    try:
        _run(settings, port, children)
    except (LaunchError, EmbeddedServerError) as error:
        click.echo(str(error), err=True)
        return 1
    except Stop:
        return 0
    finally:
        _stop(children)
    return 0


def _run(settings: Settings, port: int, children: list[Child]) -> None:
    """Start everything, adding to ``children`` what runs, and watch over it until Stop is raised."""
    click.echo("Starting ...")
    hold_servers = _server_holder(settings)
    hold_servers()
    logs = settings.sluice_home / "log"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = _environment(settings, port)
    for command in ("db upgrade", "demo"):
        _set_up(command, logs / "set-up.log", environment)
    python = sys.executable
    web = Child("web server", [python, "-m", "gunicorn", "wsgi:app"], logs / "web.log", environment)
    worker = Child("workers", [python, "worker.py"], logs / "worker.log", environment)
    for child in (web, worker):
        children.append(child)
        child.start()
    _wait_until_ready(port, children)
    click.echo(
        f"""
Sluice is ready:  http://127.0.0.1:{port}
Sign in with      {DEMO_EMAIL}
and the password  {DEMO_PASSWORD}

All data lives in {settings.sluice_home}, logs in its folder log.
Ctrl-C stops everything; start again and all is as it was.
"""
    )
    while True:
        time.sleep(LOOK_SECONDS)
        hold_servers()
        for child in children:
            child.revive()


# --- Children --------------------------------------------------------------------------------------------------------


@dataclass
class Child:
    """A program that runs as long as Sluice does, in a process group of its own so that Ctrl-C reaches only us."""

    name: str
    command: list[str]
    log: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    #: Deaths since it was last healthy.
    deaths: int = field(default=0, init=False)
    started_at: float = field(default=0.0, init=False)
    #: When it may be started again after a death; both times are on the monotonic clock.
    revive_at: float | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the program, its output going to its log."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                process_group=0,
                preexec_fn=_die_with_parent(),
            )
        self.started_at = time.monotonic()
        self.revive_at = None

    def is_running(self) -> bool:
        """Whether the program runs."""
        return self.process is not None and self.process.poll() is None

    def revive(self) -> None:
        """Start the program again when it has died, each time waiting longer than before."""
        if self.is_running():
            return
        now = time.monotonic()
        if self.revive_at is None:
            self.deaths = 1 if now - self.started_at > HEALTHY_SECONDS else self.deaths + 1
            wait = min(2.0 ** (self.deaths - 1), MAX_BACK_OFF_SECONDS)
            self.revive_at = now + wait
            # What it leaves behind may hold its port or its batches; the successor needs both.
            self.signal_group(signal.SIGTERM)
            click.echo(f"The {self.name} ended unexpectedly ({self.ending()}), again in {wait:.0f} s; see {self.log}")
        elif now >= self.revive_at:
            self.start()

    def ending(self) -> str:
        """How the program ended, in words."""
        code = None if self.process is None else self.process.returncode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the program and to all that it started and that is still with it."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


def _die_with_parent() -> Callable[[], None] | None:
    """What a child does before its program starts, so that it gets SIGTERM even when this process is killed outright.

    Only Linux can do so; elsewhere the children then run on.
    """
    if sys.platform != "linux":
        return None
    set_option = ctypes.CDLL(None, use_errno=True).prctl
    set_parent_death_signal = 1
    parent = os.getpid()

    def arrange() -> None:
        set_option(set_parent_death_signal, signal.SIGTERM)
        if os.getppid() != parent:
            # The parent died before the kernel was asked.
            os._exit(1)

    return arrange


def _stop(children: list[Child]) -> None:
    """Stop the children, leaving them time to finish what they are at, and then the private servers."""
    _ignore_stop_signals()
    running = [child for child in children if child.is_running()]
    if running:
        click.echo("\nStopping ...")
    for child in running:
        # To the program alone, which knows how to stop its own.
        assert child.process is not None
        child.process.terminate()
    deadline = time.monotonic() + DRAIN_SECONDS
    while any(child.is_running() for child in running) and time.monotonic() < deadline:
        time.sleep(0.05)
    for child in children:
        child.signal_group(signal.SIGKILL)
        if child.process is not None:
            child.process.wait()
    release()


def _set_up(command: str, log: Path, environment: dict[str, str]) -> None:
    """Run a command of the application to its end. Raises LaunchError with its output when it fails."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", *command.split()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            process_group=0,
            preexec_fn=_die_with_parent(),
        )
        try:
            code = child.wait()
        except Stop:
            child.terminate()
            child.wait()
            raise
    if code != 0:
        raise LaunchError(f"The set-up failed at `flask --app wsgi {command}`:\n{_ending(log)}")


def _wait_until_ready(port: int, children: list[Child]) -> None:
    """Wait until the pages are served. Raises LaunchError, with how the logs end, when they are not in time."""
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(port):
        dead = [child for child in children if not child.is_running()]
        if dead or time.monotonic() > deadline:
            sentences = [f"The {child.name} ended at once ({child.ending()})." for child in dead]
            sentences = sentences or [f"Sluice was not ready after {READY_SECONDS:.0f} s."]
            endings = [f"{child.log} ends:\n{_ending(child.log)}" for child in dead or children]
            raise LaunchError("\n".join([*sentences, *endings]))
        time.sleep(0.1)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _ending(log: Path) -> str:
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-20:])


# --- Settings --------------------------------------------------------------------------------------------------------


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise LaunchError(f"{name} must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _refuse_taken(port: int) -> None:
    """Raise LaunchError when something else listens on ``port`` or it cannot be used."""
    with socket.socket() as probe:
        # As gunicorn does it: connections of a former run that are still winding down do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LaunchError(f"Port {port} cannot be used ({error.strerror}). Name another one with PORT.") from None


def _server_holder(settings: Settings) -> Callable[[], None]:
    """What starts the private servers that the settings call for, holds them, and starts them again when they died.

    The addresses are not handed to the children: each finds them by itself and so keeps the servers for as long as it
    lives, even when this process is killed.
    """
    postgres, redis = not settings.database_url, not settings.redis_url

    def hold() -> None:
        if postgres or redis:
            ensure_servers(settings.sluice_home, postgres=postgres, redis=redis)

    return hold


def _environment(settings: Settings, port: int) -> dict[str, str]:
    """The environment of the children."""
    environment = dict(os.environ)
    environment["SLUICE_HOME"] = str(settings.sluice_home)
    environment["PORT"] = str(port)
    # Without this, what a child says just before it is killed never reaches its log.
    environment["PYTHONUNBUFFERED"] = "1"
    return environment


def _raise_stop(*_: object) -> None:
    _ignore_stop_signals()
    raise Stop


def _ignore_stop_signals() -> None:
    """Once everything is on its way down, being asked again must not break into that."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
