"""The private servers: started once, shared, stopped by the last user, and unharmed by whatever is killed."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from app.local import private_servers
from app.local.private_servers import EmbeddedServerError, ensure_servers, release
from tests.processes import ROOT, workers

#: Loads the module alone, because importing the application takes longer than starting the servers.
LOAD = f"""
import importlib.util, os, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("embedded", {private_servers.__file__!r})
module = sys.modules["embedded"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
servers = module.ensure_servers(Path(sys.argv[1]))
"""
#: A user of the servers that says when it has them and then lives until its standard input is closed.
USER = LOAD + "print(servers.database_url, flush=True); sys.stdin.read()"
#: The same, but it leaves its use of the servers to a child.
FORKING_USER = LOAD + "os.fork() and sys.exit(); sys.stdin.read()"


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not pytest's own temporary directory: its path is long, and others may not enter it.
    path = Path(tempfile.mkdtemp(prefix="sluice-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def home(directory: Path) -> Iterator[Path]:
    home = directory / "home"
    yield home
    release()
    assert server_processes(home) == []


def server_processes(home: Path) -> list[int]:
    home = home.resolve()
    return private_servers._Postgres(home).processes() + private_servers._Redis(home).processes()


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def connect(home: Path) -> psycopg.Connection:
    url = ensure_servers(home).database_url
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True)


def queue(home: Path) -> redis.Redis:
    return redis.Redis.from_url(ensure_servers(home).redis_url)


def start_user(home: Path) -> subprocess.Popen[str]:
    user = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert user.stdout is not None
    assert user.stdout.readline().startswith("postgresql+psycopg://")
    return user


def end_user(user: subprocess.Popen[str]) -> None:
    assert user.stdin is not None
    assert user.stdout is not None
    user.stdin.close()
    assert user.wait(timeout=30) == 0
    user.stdout.close()


def wait_until(holds: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_data_survives_a_stop_and_nothing_listens_on_the_network(home: Path) -> None:
    with connect(home) as connection:
        connection.execute("create table kept as select 'x' as y")
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute("show fsync").fetchone() == ("on",)
        assert connection.execute("show synchronous_commit").fetchone() == ("on",)
        assert connection.execute("show server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("select upper('é')").fetchone() == ("É",)
    with queue(home) as client:
        client.set("kept", "z")
        assert client.config_get("port") == {"port": "0"}
    release()
    assert server_processes(home) == []
    with connect(home) as connection, queue(home) as client:
        assert connection.execute("select y from kept").fetchone() == ("x",)
        assert client.get("kept") == b"z"


def test_only_what_is_asked_for_is_started(home: Path) -> None:
    servers = ensure_servers(home, postgres=False)
    assert servers.database_url == ""
    assert servers.redis_url.startswith("unix:///")
    assert not (home / "postgres").exists()


def test_many_processes_at_once_share_one_pair_of_servers(home: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        users = list(threads.map(start_user, [home] * 8))
    first = postmaster(home)
    assert len(private_servers._Redis(home.resolve()).processes()) == 1
    for user in users[:-1]:
        end_user(user)
    assert postmaster(home) == first
    end_user(users[-1])
    assert server_processes(home) == []


def test_users_that_come_and_go_at_the_same_moment_never_meet_a_stopping_server(home: Path) -> None:
    def come_and_go(_: int) -> None:
        for _ in range(3):
            end_user(start_user(home))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(come_and_go, range(4)))
    assert server_processes(home) == []


def test_a_killed_user_does_not_count_as_one(home: Path) -> None:
    killed, other = start_user(home), start_user(home)
    killed.kill()
    killed.communicate()
    end_user(other)
    assert server_processes(home) == []


def test_a_killed_postmaster_is_replaced_while_its_helpers_are_still_busy(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_servers, "LEFTOVER_SECONDS", 0.3)
    busy = connect(home)
    busy.execute("create table kept as select 1 as x")
    # A loop that never looks whether the postmaster lives, and therefore has to be ended.
    busy.pgconn.send_query(b"do $$ begin loop null; end loop; end $$")
    os.kill(postmaster(home), signal.SIGKILL)
    with connect(home) as connection:
        assert connection.execute("select x from kept").fetchone() == (1,)
    assert busy.info.backend_pid not in server_processes(home)
    busy.close()


def test_a_killed_redis_is_replaced_and_forgets_nothing(home: Path) -> None:
    with queue(home) as client:
        client.rpush("jobs", "a", "b")
    (process,) = private_servers._Redis(home.resolve()).processes()
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: not private_servers._Redis(home.resolve()).processes())
    with queue(home) as client:
        assert client.lrange("jobs", 0, -1) == [b"a", b"b"]


def test_files_that_name_another_living_process_do_not_stop_a_start(home: Path) -> None:
    with connect(home):
        pass
    os.kill(postmaster(home), signal.SIGKILL)
    wait_until(lambda: not private_servers._Postgres(home.resolve()).processes())
    sleeper = subprocess.Popen(["sleep", "60"], **({"user": (home / "postgres").stat().st_uid} if is_root() else {}))
    try:
        for path in (home / "postgres" / "postmaster.pid", home / "run" / ".s.PGSQL.5432.lock"):
            lines = path.read_text().splitlines()
            path.write_text("\n".join([str(sleeper.pid), *lines[1:], ""]))
        with connect(home) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_home_with_a_long_path_and_odd_characters_gets_a_short_private_socket_directory(directory: Path) -> None:
    home = directory / ("deep, 'odd' $HOME %41 ö" * 3) / ("x" * 60)
    home.parent.mkdir()
    try:
        servers = ensure_servers(home)
        with connect(home) as connection, queue(home) as client:
            assert connection.execute("select current_database()").fetchone() == ("sluice",)
            assert client.ping()
        sockets = private_servers._socket_directory(home.resolve())
        assert sockets.parent == private_servers.SHORT_DIRECTORY
        assert str(sockets) in servers.redis_url
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    finally:
        release()
    assert server_processes(home) == []
    assert not sockets.exists()


def test_workers_start_where_the_path_of_the_sockets_has_blanks(directory: Path) -> None:
    home = directory / "slu ice = ö"
    environ = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    try:
        # The one that sends webhooks and e-mails needs no tables to start.
        with queue(home) as client, workers({**environ, "SLUICE_HOME": str(home)}, count=0):
            wait_until(lambda: client.scard("rq:workers") == 1)
    finally:
        release()
    assert server_processes(home) == []


def test_a_worker_that_cannot_start_says_why(home: Path) -> None:
    url = ensure_servers(home, postgres=False).redis_url.replace("db=0", "db=1000")
    environ = {**os.environ, "SLUICE_HOME": str(home), "REDIS_URL": url, "WORKERS": "1"}
    command = [sys.executable, "worker.py"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stderr is not None
        assert any("worker failed" in line and "DB index is out of range" in line for line in supervisor.stderr)
        supervisor.terminate()


@pytest.mark.parametrize("kind", ["link", "open"])
def test_a_short_socket_directory_that_others_can_use_is_refused(directory: Path, kind: str) -> None:
    home = directory / ("x" * 100)
    sockets = private_servers._socket_directory(home.resolve())
    if kind == "link":
        sockets.symlink_to(directory)
    else:
        sockets.mkdir()
        sockets.chmod(0o777)
    try:
        with pytest.raises(EmbeddedServerError, match=str(sockets)):
            ensure_servers(home)
    finally:
        release()
        if kind == "link":
            sockets.unlink()
        else:
            sockets.rmdir()


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_whoever_stands_in_for_a_server_is_not_even_asked(directory: Path, kind: str) -> None:
    home = directory / ("x" * 100)
    sockets = private_servers._socket_directory(home.resolve())
    sockets.mkdir(mode=0o700)
    # As another user has to leave it, for this one to get in.
    sockets.chmod(0o755)
    server = private_servers._Redis(home.resolve()) if kind == "redis" else private_servers._Postgres(home.resolve())
    try:
        with socket.socket(socket.AF_UNIX) as impostor:
            impostor.bind(str(server.socket))
            impostor.listen()
            impostor.setblocking(False)
            with pytest.raises(EmbeddedServerError, match=str(sockets)):
                ensure_servers(home, postgres=kind == "postgres", redis=kind == "redis")
            with pytest.raises(BlockingIOError):
                impostor.accept()
    finally:
        release()
        shutil.rmtree(sockets)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_socket_directory_of_another_account_is_refused(directory: Path) -> None:
    home = directory / ("x" * 100)
    sockets = private_servers._socket_directory(home.resolve())
    sockets.mkdir(mode=0o700)
    os.chown(sockets, 65534, 65534)
    try:
        with pytest.raises(EmbeddedServerError, match=str(sockets)):
            ensure_servers(home, postgres=False)
    finally:
        release()
        sockets.rmdir()


def test_a_home_in_a_private_directory_opens_the_way_but_not_the_view(directory: Path, home: Path) -> None:
    directory.chmod(0o700)
    with connect(home) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert stat.S_IMODE(directory.stat().st_mode) == (0o701 if is_root() else 0o700)


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with connect(home):
        pass
    release()
    with (home / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("nonsense = 1\n")
    with pytest.raises(EmbeddedServerError, match=r'(?s)Postgres did not start.*unrecognized.*"nonsense"') as caught:
        ensure_servers(home)
    assert str(home / "log" / "postgres.log") in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("", "No Redis was found: install redis-server or valkey, or set REDIS_URL."),
        (", redis=False", "No PostgreSQL comes with this Python: use Python 3.11 to 3.14, or set DATABASE_URL."),
    ],
)
def test_a_python_without_the_packages_says_what_to_install_and_sets_nothing_up(
    home: Path, wanted: str, sentence: str
) -> None:
    # Isolated and without its site-packages, Python finds no package; without a PATH, no server of the system.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LOAD.replace("(Path(sys.argv[1]))", f"(Path(sys.argv[1]){wanted})"), home],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"EmbeddedServerError: {sentence}")
    assert not (home / "postgres").exists()


def test_a_killed_set_up_leaves_nothing_half_made(home: Path) -> None:
    user = subprocess.Popen([sys.executable, "-c", USER, str(home)], stdout=subprocess.DEVNULL)
    wait_until(lambda: list(home.glob(".postgres-*/base")))
    user.kill()
    user.wait()
    with connect(home) as connection:
        assert connection.execute("select current_database()").fetchone() == ("sluice",)

    def is_tidy_after_a_restart() -> bool:
        release()
        ensure_servers(home)
        return list(home.glob(".postgres-*")) == []

    # The initdb that lost its caller may have gone on for a moment.
    wait_until(is_tidy_after_a_restart)


def test_a_forked_child_that_outlives_its_parent_keeps_the_servers(home: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", FORKING_USER, str(home)], stdin=subprocess.PIPE)
    assert parent.wait(timeout=30) == 0
    assert server_processes(home) != []
    end_user(start_user(home))
    assert server_processes(home) != []
    assert parent.stdin is not None
    parent.stdin.close()
    wait_until(lambda: private_servers._is_unused(home))
    end_user(start_user(home))
    assert server_processes(home) == []


def test_no_lock_leaks_into_a_server_or_a_program(home: Path) -> None:
    ensure_servers(home)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as program:
        try:
            for process in (*server_processes(home), program.pid):
                files = [os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()]
                assert [name for name in files if name.endswith(".lock") and "/run/" in name] == []
        finally:
            program.kill()


def test_servers_of_a_deleted_home_are_ended(home: Path) -> None:
    ensure_servers(home)
    shutil.rmtree(home)
    release()
    assert server_processes(home) == []


def is_root() -> bool:
    return os.geteuid() == 0
