"""A separate home for the trials: private servers, workers and web servers that can be killed and restarted."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis

from app import create_app
from app.config import load_settings
from app.extensions import db
from app.local.private_servers import PrivateServers
from app.storage import open_storage
from tests.chaos.clock import SteppingClock
from tests.processes import ROOT, answers, children, die_with_parent, horses, kill, wait_until
from tests.s3_proxy import S3Proxy, s3_proxy
from tests.s3_server import BUCKET, s3_server

#: Settings that must be the product's own, whatever the environment contains.
_DEFAULTS = (
    "LEASE_SECONDS",
    "TICK_SECONDS",
    "MAX_FRUITLESS_ATTEMPTS",
    "WORKERS",
    "DELIVERERS",
    "PORT",
    "S3_ENDPOINT_URL",
)


class Home:
    """One installation in a temporary directory, with settings from ``environ``. End it with ``close``.

    Its processes run the code in ``code``, to which another release may be checked out.
    """

    def __init__(self, workers: int, *, code: Path = ROOT, **environ: str) -> None:
        self.code = code
        self.root = Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
        # It ends what is left if this process is killed first.
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.guard", str(self.root)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.wanted_workers = workers
        self._started: list[subprocess.Popen[bytes]] = []
        self.log = (self.root / "processes.log").open("ab")
        self._servers = PrivateServers(self.root / "home")
        addresses = self._servers.ensure()
        self.storage = self.root / "storage"
        self.environ = {
            **{name: value for name, value in os.environ.items() if name not in _DEFAULTS},
            "SLUICE_HOME": str(self.root / "own"),
            "DATABASE_URL": addresses.database_url,
            "REDIS_URL": addresses.redis_url,
            "STORAGE_URL": f"file://{self.storage}",
            "SECRET_KEY": "only for trials, and known to everybody",
            # The smallest chunks, so that there is time to hit the import.
            "CHUNK_SECONDS": "0.001",
            **environ,
        }
        # This process keeps transactions open for longer than a worker may.
        self.app = create_app({**self.environ, "LEASE_SECONDS": "60"})
        self.flask("db", "upgrade")
        self._supervisor: psutil.Process | None = None
        #: The proxy of the storage while that is S3.
        self.s3: S3Proxy | None = None
        #: The clocks of the workers' and of the database's host, for use with ``by_clock``.
        self.clocks = {whose: SteppingClock(self.root / f"clock-of-{whose}") for whose in ("workers", "database")}

    def close(self) -> None:
        """End every process and delete everything."""
        for process in self._started:
            self._end(process)
        with self.app.app_context():
            db.engine.dispose()
        self._servers.stop()
        for clock in self.clocks.values():
            clock.close()
        self.log.close()
        shutil.rmtree(self.root, ignore_errors=True)
        assert self._guard.stdin
        self._guard.stdin.close()
        self._guard.wait(30)

    def flask(self, *arguments: str, typed: str = "") -> str:
        """Run a command of ``flask --app wsgi``, with ``typed`` as its input. Returns its output."""
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *arguments]
        done = subprocess.run(
            command, cwd=self.code, env=self.environ, input=typed, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        if done.returncode:
            raise SystemExit(f"flask {' '.join(arguments)} failed:\n{done.stdout}{self.last_words()}")
        return done.stdout

    # Settings ---------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def using(self, **environ: str) -> Iterator[None]:
        """Use other settings for workers and web servers that are started meanwhile, and for this process's storage."""
        before, storage = self.environ, self.app.extensions["sluice_storage"]
        self.stop_workers()
        self.environ = {**before, **environ}
        self.app.extensions["sluice_storage"] = open_storage(load_settings(self.environ))
        try:
            yield
        finally:
            self.environ = before
            self.app.extensions["sluice_storage"] = storage
            self.stop_workers()

    def by_clock(self, whose: str) -> contextlib.AbstractContextManager[None]:
        """Run the workers, or the database, with their clock of ``clocks``."""
        environ = self.clocks[whose].environ
        return self._postgres_with(environ) if whose == "database" else self.using(**environ)

    @contextlib.contextmanager
    def on_s3(self) -> Iterator[None]:
        """Store files on S3, behind ``s3``, a proxy that can inject faults."""
        with pytest.MonkeyPatch.context() as patch, s3_server(patch) as server, s3_proxy(server) as proxy:
            credentials = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
            self.s3 = proxy
            try:
                with self.using(STORAGE_URL=f"s3://{BUCKET}", S3_ENDPOINT_URL=proxy.address, **credentials):
                    yield
            finally:
                self.s3 = None

    # Workers ----------------------------------------------------------------------------------------------------------

    def workers(self) -> psutil.Process:
        """The supervisor with all its workers, started if there is none."""
        if self._supervisor is None or not self._supervisor.is_running():
            self._supervisor = self.start_workers()
        supervisor = self._supervisor
        # One of them is a deliverer.
        wait_until(lambda: len(children(supervisor)) == self.wanted_workers + 1)
        return supervisor

    def start_workers(self, command: tuple[str, ...] = ("worker.py",), **environ: str) -> psutil.Process:
        """Start a separate supervisor."""
        process = self._spawn(list(command), {"WORKERS": str(self.wanted_workers), **environ})
        return psutil.Process(process.pid)

    def replace_workers(self, before: psutil.Process, after: psutil.Process) -> None:
        """Ask one supervisor and its workers to exit; from now on the other is the home's."""
        before.terminate()
        self.reap(before.pid, 30)
        self._supervisor = after

    def stop_workers(self) -> float:
        """Ask the supervisor and its workers to exit. Returns the seconds that took."""
        if self._supervisor is None or not self._supervisor.is_running():
            return 0.0
        began = time.monotonic()
        self._supervisor.terminate()
        self.reap(self._supervisor.pid, 30)
        self._supervisor = None
        return time.monotonic() - began

    def kill_workers(self) -> int:
        """Kill the supervisor and all its descendants at once. Returns the number of processes."""
        supervisor = self.workers()
        family = [supervisor, *supervisor.children(recursive=True)]
        # Stopped first, so that none of them can react to the death of another.
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()
        for member in family:
            kill(member)
        self.reap(supervisor.pid, 10)
        psutil.wait_procs(family, timeout=10)
        self._supervisor = None
        return len(family)

    def horses(self) -> list[psutil.Process]:
        """The running work-horses."""
        try:
            return horses(self.workers())
        except psutil.NoSuchProcess:
            return []

    def reap(self, pid: int, seconds: float) -> None:
        """Wait for the end of a process that was started here."""
        for process in list(self._started):
            if process.pid == pid:
                process.wait(seconds)
                self._started.remove(process)

    # Web --------------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def web(self, **environ: str) -> Iterator[tuple[str, psutil.Process]]:
        """The real web server: its address and its process."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = self._spawn(
            ["-m", "gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"],
            {"PORT": str(port), "WEB_CONCURRENCY": "1", **environ},
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: answers(f"{address}/healthz"))
            yield address, psutil.Process(process.pid)
        finally:
            if process in self._started:
                self._end(process)
                self._started.remove(process)

    def kill_web(self, master: psutil.Process) -> int:
        """Kill a web server with its children. Returns the number of processes."""
        family = [master, *master.children(recursive=True)]
        for member in family:
            kill(member)
        self.reap(master.pid, 10)
        return len(family)

    # Redis ------------------------------------------------------------------------------------------------------------

    def redis_process(self) -> psutil.Process:
        """The private Redis."""
        with Redis.from_url(self.environ["REDIS_URL"], socket_timeout=5) as client:
            return psutil.Process(client.info("server")["process_id"])

    def kill_redis(self, *, forget: bool) -> None:
        """Kill Redis and, with ``forget``, delete its data on disk."""
        server = self.redis_process()
        kill(server)
        wait_until(lambda: not _is_alive(server))
        if forget:
            shutil.rmtree(self.root / "home" / "redis")

    # PostgreSQL -------------------------------------------------------------------------------------------------------

    def postmaster(self) -> psutil.Process:
        """The first process of the private PostgreSQL."""
        return psutil.Process(int((self.root / "home" / "postgres" / "postmaster.pid").read_text().split()[0]))

    def stop_postgres_fast(self) -> None:
        """Have PostgreSQL cut all connections and stop."""
        server = self.postmaster()
        server.send_signal(signal.SIGINT)
        wait_until(lambda: not _is_alive(server))

    def kill_postgres(self) -> int:
        """Kill PostgreSQL with all its processes at once. Returns their number."""
        server = self.postmaster()
        family = [server, *server.children(recursive=True)]
        for member in family:
            kill(member)
        wait_until(lambda: not any(_is_alive(member) for member in family))
        return len(family)

    @contextlib.contextmanager
    def _postgres_with(self, environ: dict[str, str]) -> Iterator[None]:
        """Run PostgreSQL with additional environment variables; it is restarted before and afterwards."""
        server = self.postmaster()
        command, user, group = server.cmdline(), server.uids().real, server.gids().real
        is_other = user != os.geteuid()
        self.stop_postgres_fast()
        process = subprocess.Popen(
            command,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **environ},
            stdout=self.log,
            stderr=self.log,
            umask=0o077,
            start_new_session=True,
            user=user if is_other else None,
            group=group if is_other else None,
            extra_groups=[] if is_other else None,
        )
        try:
            self.ensure_servers()
            yield
        finally:
            # Unless it was restarted meanwhile, without them.
            if process.poll() is None:
                self.stop_postgres_fast()
            process.wait(30)
            self.ensure_servers()

    def ensure_servers(self) -> None:
        """Restart any server that is down."""
        self._servers.ensure()

    def connect(self) -> psycopg.Connection[tuple]:
        """A connection outside of any pool that commits every statement."""
        address = self.environ["DATABASE_URL"].replace("+psycopg", "")
        return psycopg.connect(address, autocommit=True, connect_timeout=5, application_name="trials")

    def last_words(self) -> str:
        """The end of the log of the workers and web servers."""
        return "\n".join((self.root / "processes.log").read_text(errors="replace").splitlines()[-40:])

    def logged_errors(self) -> list[str]:
        """What workers and web servers have logged as errors. Not RQ: the reconciler repairs what happens to jobs."""
        lines = (self.root / "processes.log").read_text(errors="replace").splitlines()
        return [line for line in lines if '"level": "ERROR"' in line and '"rq.' not in line]

    # ------------------------------------------------------------------------------------------------------------------

    def _spawn(self, arguments: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.code,
            env={**self.environ, **environ},
            stdout=self.log,
            stderr=self.log,
            preexec_fn=die_with_parent,
        )
        self._started.append(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(process.pid)
            family = [first, *first.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                # A frozen one would neither exit nor be noticed.
                member.resume()
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        process.wait(10)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
