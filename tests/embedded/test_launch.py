"""``make run``: what hinders it is said before anything is started, and all that it starts ends with it."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
from flask import Flask

from tests.processes import ROOT, answers

#: ``python -m app.local.launch``, on a machine that may be busy.
LAUNCH = "import sys; from app.local import launch; launch.READY_SECONDS = 600; sys.exit(launch.main())"


def launch(environ: dict[str, str], home: Path, port: int) -> subprocess.Popen[str]:
    """Start it over the PostgreSQL of the tests and a Redis of its own."""
    own = {"SLUICE_HOME": str(home), "PORT": str(port), "REDIS_URL": "", "WORKERS": "1", "WEB_CONCURRENCY": "1"}
    # The lease of the tests is so short that on a busy machine the set-up would lose its transaction.
    own["LEASE_SECONDS"] = "180"
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH],
        cwd=ROOT,
        env={**environ, "STORAGE_URL": "", **own},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_a_port_that_is_taken_is_refused_before_anything_is_started(environ: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        process = launch(environ, home, listener.getsockname()[1])
        said, _ = process.communicate()
    assert "cannot be used (Address already in use). Name another one with PORT." in said
    assert process.returncode == 2
    assert not home.exists()


def test_all_that_it_starts_runs_when_it_says_so_and_ends_with_it(
    app: Flask, environ: dict[str, str], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with launch(environ, tmp_path / "100% own", port) as process:
        assert process.stdout is not None
        try:
            said = ""
            while f"http://127.0.0.1:{port}\n" not in said and (line := process.stdout.readline()):
                said += line
            assert answers(f"http://127.0.0.1:{port}/readyz"), said
            launched = psutil.Process(process.pid)
            started = launched.children(recursive=True)
            # What these start may end at any moment.
            programs = [*launched.children(), *(one for manager in launched.children() for one in manager.children())]
            commands = [" ".join(program.cmdline()) for program in programs]
            for part in ("redis.sock", "supervisor.supervisord", "wsgi:app", "worker.py"):
                assert any(part in command for command in commands), commands
            process.send_signal(signal.SIGTERM)
            assert process.stdout.read().endswith("\nStopping ...\n")
        finally:
            # What it has started ends with it.
            process.kill()
    assert process.returncode == 0
    assert psutil.wait_procs(started, timeout=60)[1] == []
