"""``make run``: the private servers, the set-up of the database, and then web server and workers under supervisord."""

import configparser
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path

import click
import urllib3

from app.config import ConfigError, Settings, load_settings
from app.demo import DEMO_EMAIL, DEMO_PASSWORD
from app.local.private_servers import PrivateServers, dying_with_parent, show_ending, wait_until

#: The checkout, where the programs find ``wsgi.py`` and ``worker.py``.
CHECKOUT = Path(__file__).resolve().parents[2]
#: Seconds until the pages must be ready.
READY_SECONDS = 60.0
#: Seconds that web server and workers have to finish what they do when all is stopped.
DRAIN_SECONDS = 20
#: Seconds between two looks at the private servers.
LOOK_SECONDS = 1.0


class LaunchError(Exception):
    """Sluice cannot be started; the message says why."""


def main() -> int:
    """Run Sluice until it is asked to stop, and return the exit code.

    0 after a stop, 1 when something does not start, 2 when a setting cannot be used.
    """
    # Ctrl-C, and what service managers send.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    # The defaults of the programs are this process's too.
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
    servers = PrivateServers(settings.sluice_home, postgres=not settings.database_url, redis=not settings.redis_url)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(_ignore_stop_signals)
        try:
            click.echo("Starting ...")
            cleanup.callback(servers.stop)
            servers.ensure()
            _run(settings, port, servers, cleanup)
        except (LaunchError, ConfigError) as error:
            click.echo(str(error), err=True)
            return 1
        except KeyboardInterrupt:
            click.echo("\nStopping ...")
        # Before the clean-up: being asked again must not break into it.
        _ignore_stop_signals()
    return 0


def _run(settings: Settings, port: int, servers: PrivateServers, cleanup: contextlib.ExitStack) -> None:
    """Set the database up, start web server and workers, and keep the private servers running until interrupted."""
    logs = settings.sluice_home / "log"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Without PYTHONUNBUFFERED, what a program says just before it is killed never reaches its log.
    environ = {
        **os.environ,
        "SLUICE_HOME": str(settings.sluice_home),
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    for command in ("db upgrade", "demo"):
        _set_up(command, logs / "set-up.log", environ)
    manager = _start_programs(logs, environ)
    # In the end, the last callback first, web server and workers are left time to finish what they do.
    cleanup.callback(manager.wait)
    cleanup.callback(manager.terminate)
    _wait_until_ready(port, manager, logs)
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
        servers.ensure()
        if manager.poll() is not None:
            raise LaunchError(f"supervisord ended; {logs / 'supervisord.log'} says why.")


def _start_programs(logs: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start web server and workers under supervisord, which starts each again when it dies."""
    configuration = configparser.RawConfigParser()
    configuration["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "logfile": "supervisord.log",
        "pidfile": "supervisord.pid",
    }
    for name, command in (("web", "-m gunicorn wsgi:app"), ("worker", "worker.py")):
        configuration[f"program:{name}"] = {
            "command": _escaped(shlex.join([*dying_with_parent(), sys.executable, *command.split()])),
            "directory": _escaped(CHECKOUT),
            "redirect_stderr": "true",
            "stdout_logfile": f"{name}.log",
            "startretries": "1000000",
            "stopwaitsecs": str(DRAIN_SECONDS),
            "killasgroup": "true",
        }
    path = logs / "supervisord.conf"
    with path.open("w", encoding="utf-8") as file:
        configuration.write(file)
    return subprocess.Popen(
        [*dying_with_parent(), sys.executable, "-m", "supervisor.supervisord", "--configuration", str(path)],
        # Where the files without a folder are.
        cwd=logs,
        stdin=subprocess.DEVNULL,
        env=environ,
        # Ctrl-C reaches only this process.
        start_new_session=True,
    )


def _escaped(text: object) -> str:
    """As supervisord's configuration has it, where a percent sign begins a name to be replaced."""
    return str(text).replace("%", "%%")


def _set_up(command: str, log: Path, environ: dict[str, str]) -> None:
    """Run a command of the application to its end. Raises LaunchError with its output when it fails."""
    with log.open("wb") as output:
        done = subprocess.run(
            [*dying_with_parent(), sys.executable, "-m", "flask", "--app", "wsgi", *command.split()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            process_group=0,
            check=False,
        )
    if done.returncode != 0:
        raise LaunchError(f"The set-up failed at `flask --app wsgi {command}`. {show_ending(log)}")


def _wait_until_ready(port: int, manager: subprocess.Popen[bytes], logs: Path) -> None:
    """Wait until the pages are served. Raises LaunchError, with how the logs end, when they are not in time."""
    is_over = wait_until(lambda: _is_ready(port) or manager.poll() is not None, READY_SECONDS)
    if not is_over or manager.poll() is not None:
        written = [log for name in ("supervisord", "web", "worker") if (log := logs / f"{name}.log").exists()]
        endings = map(show_ending, written)
        raise LaunchError("\n".join([f"Sluice was not ready within {READY_SECONDS:.0f} s.", *endings]))


def _is_ready(port: int) -> bool:
    try:
        return (
            urllib3.request("GET", f"http://127.0.0.1:{port}/readyz", timeout=5, retries=False).status == HTTPStatus.OK
        )
    except urllib3.exceptions.HTTPError:
        return False


def _number(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise LaunchError(f"{name} must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _refuse_taken(port: int) -> None:
    """Raise LaunchError when another program listens on ``port`` or it cannot be used."""
    with socket.socket() as probe:
        # As gunicorn does it: connections of a former run that are still winding down do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LaunchError(f"Port {port} cannot be used ({error.strerror}). Name another one with PORT.") from None


def _interrupt(*_: object) -> None:
    _ignore_stop_signals()
    raise KeyboardInterrupt


def _ignore_stop_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
