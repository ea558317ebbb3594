"""The private servers: owned by one process, stopped when it ends or dies, and unharmed by whatever is killed."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import redis

from app.local import private_servers
from app.local.private_servers import PrivateServerError, PrivateServers, find
from tests.processes import ROOT, wait_until, workers

#: Owns the servers until its standard input is closed.
OWNER = """
import sys
from pathlib import Path
from app.local.private_servers import PrivateServers
servers = PrivateServers(Path(sys.argv[1]), **eval(sys.argv[2]))
print(servers.ensure().database_url, flush=True)
sys.stdin.read()
servers.stop()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    # Not pytest's own temporary directory: its path is long, and others may not enter it.
    path = Path(tempfile.mkdtemp(prefix="sluice-test-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def new_postgres() -> Iterator[Path]:
    """A PostgreSQL that was set up and never used; a copy takes a fraction of the time."""
    with tempfile.TemporaryDirectory(prefix="sluice-test-") as directory:
        servers = PrivateServers(Path(directory) / "home", redis=False)
        servers.ensure()
        servers.stop()
        yield servers.home / "postgres"


def servers_at(home: Path, new_postgres: Path) -> PrivateServers:
    """Servers that have been set up and do not run."""
    servers = PrivateServers(home)
    servers.home.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", new_postgres, servers.home], check=True)
    return servers


@pytest.fixture
def servers(directory: Path, new_postgres: Path) -> Iterator[PrivateServers]:
    servers = servers_at(directory / "home", new_postgres)
    yield servers
    servers.stop()
    assert processes(servers) == []


@pytest.fixture
def only_redis(directory: Path) -> Iterator[PrivateServers]:
    """For what is the same for both: PostgreSQL takes seconds to set up."""
    servers = PrivateServers(directory / "home", postgres=False)
    yield servers
    servers.stop()
    assert processes(servers) == []


def processes(servers: PrivateServers) -> list[int]:
    return [process.pid for server in servers._servers for process in server.processes()]


def of(servers: PrivateServers, name: str) -> subprocess.Popen[bytes]:
    (process,) = [server._process for server in servers._servers if name == server.NAME]
    assert process is not None
    return process


def connect(servers: PrivateServers) -> psycopg.Connection:
    url = servers.ensure().database_url
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://"), autocommit=True)


def queue(servers: PrivateServers) -> redis.Redis:
    return redis.Redis.from_url(servers.ensure().redis_url)


def start_owner(home: Path, options: str = "{}") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OWNER, str(home), options]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_data_survives_a_stop_and_nothing_listens_on_the_network(servers: PrivateServers) -> None:
    with connect(servers) as connection:
        connection.execute("create table kept as select 'x' as y")
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        assert connection.execute("show fsync").fetchone() == ("on",)
        assert connection.execute("show synchronous_commit").fetchone() == ("on",)
        assert connection.execute("show server_encoding").fetchone() == ("UTF8",)
        assert connection.execute("select upper('é')").fetchone() == ("É",)
    with queue(servers) as client:
        client.set("kept", "z")
        assert client.config_get("port") == {"port": "0"}
    servers.stop()
    assert processes(servers) == []
    with connect(servers) as connection, queue(servers) as client:
        assert connection.execute("select y from kept").fetchone() == ("x",)
        assert client.get("kept") == b"z"
    # Looking after a server, as `make run` does every second, leaves nothing in its log.
    assert "ERROR" not in (servers.home / "log" / "postgres.log").read_text()


def test_only_what_is_asked_for_is_started(directory: Path) -> None:
    servers = PrivateServers(directory / "home", postgres=False)
    addresses = servers.ensure()
    assert addresses.database_url == ""
    assert addresses.redis_url.startswith("unix:///")
    assert not (directory / "home" / "postgres").exists()
    servers.stop()


def test_other_processes_find_the_servers_of_their_owner_and_are_told_when_there_are_none(
    servers: PrivateServers,
) -> None:
    with pytest.raises(PrivateServerError, match="does not run. Start Sluice with `make run`, or name another server"):
        find(servers.home)
    assert servers.ensure() == find(servers.home)


def test_a_second_owner_is_refused(only_redis: PrivateServers) -> None:
    only_redis.ensure()
    with pytest.raises(PrivateServerError, match="Sluice already runs in"):
        PrivateServers(only_redis.home, postgres=False).ensure()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_servers_of_a_killed_owner_are_stopped_and_its_successor_starts_at_once(servers: PrivateServers) -> None:
    owner = start_owner(servers.home)
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith("postgresql+psycopg://")
    owner.kill()
    owner.communicate()
    with connect(servers) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    servers.stop()
    wait_until(lambda: processes(servers) == [])


def test_a_killed_postmaster_is_replaced_while_its_helpers_are_still_busy(
    servers: PrivateServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_servers, "LEFTOVER_SECONDS", 0.3)
    busy = connect(servers)
    busy.execute("create table kept as select 1 as x")
    # A loop that never looks whether the postmaster lives, and therefore has to be killed.
    busy.pgconn.send_query(b"do $$ begin loop null; end loop; end $$")
    of(servers, "Postgres").kill()
    of(servers, "Postgres").wait()
    with connect(servers) as connection:
        assert connection.execute("select x from kept").fetchone() == (1,)
    assert busy.info.backend_pid not in processes(servers)
    busy.close()


def test_a_killed_redis_is_replaced_and_forgets_nothing(only_redis: PrivateServers) -> None:
    with queue(only_redis) as client:
        client.rpush("jobs", "a", "b")
    of(only_redis, "Redis").kill()
    of(only_redis, "Redis").wait()
    with queue(only_redis) as client:
        assert client.lrange("jobs", 0, -1) == [b"a", b"b"]


def test_a_server_that_is_about_to_end_is_replaced(only_redis: PrivateServers) -> None:
    only_redis.ensure()
    (server,) = only_redis._servers
    os.kill(of(only_redis, "Redis").pid, signal.SIGKILL)
    of(only_redis, "Redis").wait()
    # As a killed program is whose threads have not all ended: it serves no more, and has not ended.
    server._process = subprocess.Popen(["sleep", "0.2"])
    only_redis.ensure()
    assert server.ask()


def test_threads_that_find_a_server_dead_start_it_once_and_it_outlives_them(only_redis: PrivateServers) -> None:
    only_redis.ensure()
    of(only_redis, "Redis").kill()
    of(only_redis, "Redis").wait()
    with ThreadPoolExecutor(4) as threads:
        started = {future.result() for future in [threads.submit(only_redis.ensure) for _ in range(4)]}
    (addresses,) = started
    assert redis.Redis.from_url(addresses.redis_url).ping()
    assert len([one for one in processes(only_redis) if one == of(only_redis, "Redis").pid]) == 1


def test_files_that_name_another_living_process_do_not_stop_a_start(servers: PrivateServers) -> None:
    with connect(servers):
        pass
    of(servers, "Postgres").kill()
    of(servers, "Postgres").wait()
    data = servers.home / "postgres"
    sleeper = subprocess.Popen(["sleep", "60"], **({"user": data.stat().st_uid} if os.geteuid() == 0 else {}))
    try:
        for path in (data / "postmaster.pid", data / ".s.PGSQL.5432.lock"):
            lines = path.read_text().splitlines()
            path.write_text("\n".join([str(sleeper.pid), *lines[1:], ""]))
        with connect(servers) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_home_with_a_long_path_and_odd_characters_gets_short_private_socket_directories(directory: Path) -> None:
    home = directory / ("deep, 'odd' $HOME %41 ö" * 3) / ("x" * 60)
    home.parent.mkdir()
    servers = PrivateServers(home)
    try:
        with connect(servers) as connection, queue(servers) as client:
            assert connection.execute("select current_database()").fetchone() == ("sluice",)
            assert client.ping()
        for server in servers._servers:
            assert server.sockets.parent == private_servers.SHORT_DIRECTORY
            assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    finally:
        servers.stop()
    assert processes(servers) == []
    for server in servers._servers:
        assert not server.sockets.exists()


def test_workers_start_where_the_path_of_the_sockets_has_blanks(directory: Path, new_postgres: Path) -> None:
    servers = servers_at(directory / "slu ice = ö", new_postgres)
    servers.ensure()
    environ = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    try:
        # The deliverer needs no tables to start.
        with queue(servers) as client, workers({**environ, "SLUICE_HOME": str(servers.home)}, count=0):
            wait_until(lambda: client.scard("rq:workers") == 1)
    finally:
        servers.stop()


def test_a_worker_that_cannot_start_says_why(servers: PrivateServers) -> None:
    url = servers.ensure().redis_url.replace("db=0", "db=1000")
    environ = {**os.environ, "SLUICE_HOME": str(servers.home), "REDIS_URL": url, "WORKERS": "1"}
    command = [sys.executable, "worker.py"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stderr is not None
        assert any("worker failed" in line and "DB index is out of range" in line for line in supervisor.stderr)
        supervisor.terminate()


@pytest.mark.parametrize("kind", ["link", "open", "other"])
def test_a_socket_directory_that_others_can_use_is_refused_before_anything_is_asked_there(
    directory: Path, kind: str
) -> None:
    home = (directory / ("x" * 100)).resolve()
    servers = PrivateServers(home)
    sockets = servers._servers[0].sockets
    if kind == "link":
        sockets.symlink_to(directory)
    else:
        sockets.mkdir(mode=0o700)
        if kind == "open":
            sockets.chmod(0o777)
        elif os.geteuid() == 0:
            os.chown(sockets, 65534, 65534)
        else:
            sockets.rmdir()
            pytest.skip("only root can give a directory to another account")
    try:
        for ask in (servers.ensure, lambda: find(home)):
            with pytest.raises(PrivateServerError, match=str(sockets)):
                ask()
    finally:
        servers.stop()
        sockets.unlink() if kind == "link" else sockets.rmdir()


def test_a_home_in_a_private_directory_opens_the_way_but_not_the_view(directory: Path, servers: PrivateServers) -> None:
    directory.chmod(0o700)
    with connect(servers) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    servers.stop()
    assert stat.S_IMODE(directory.stat().st_mode) == (0o701 if os.geteuid() == 0 else 0o700)


def test_a_server_that_cannot_start_says_why(servers: PrivateServers) -> None:
    with connect(servers):
        pass
    servers.stop()
    with (servers.home / "postgres" / "postgresql.conf").open("a") as configuration:
        configuration.write("nonsense = 1\n")
    with pytest.raises(PrivateServerError, match=r'(?s)Postgres did not start.*unrecognized.*"nonsense"') as caught:
        servers.ensure()
    assert str(servers.home / "log" / "postgres.log") in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("{}", "No Redis was found: install redis-server or valkey, or set REDIS_URL."),
        ("{'redis': False}", "No PostgreSQL comes with this Python: use Python 3.11 to 3.14, or set DATABASE_URL."),
    ],
)
def test_a_python_without_the_packages_says_what_to_install_and_sets_nothing_up(
    directory: Path, options: str, sentence: str
) -> None:
    hidden = "import importlib.util; importlib.util.find_spec = lambda name: None\n"
    done = subprocess.run(
        [sys.executable, "-c", OWNER.replace("servers = ", hidden + "servers = ", 1), directory / "home", options],
        # Without a PATH, no server of the system is found either.
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"PrivateServerError: {sentence}")
    assert not (directory / "home" / "postgres").exists()


def test_a_killed_set_up_leaves_nothing_half_made(servers: PrivateServers) -> None:
    shutil.rmtree(servers.home / "postgres")
    owner = start_owner(servers.home)
    wait_until(lambda: list(servers.home.glob(".postgres-*/base")))
    owner.kill()
    owner.communicate()
    with connect(servers) as connection:
        assert connection.execute("select current_database()").fetchone() == ("sluice",)

    def is_tidy_after_a_restart() -> bool:
        servers.stop()
        servers.ensure()
        return list(servers.home.glob(".postgres-*")) == []

    # The initdb that lost its owner may have gone on for a moment.
    wait_until(is_tidy_after_a_restart)


def test_no_lock_leaks_into_a_server_or_a_program(servers: PrivateServers) -> None:
    servers.ensure()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as program:
        try:
            for process in (*processes(servers), program.pid):
                files = [os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()]
                assert [name for name in files if name.endswith("owner.lock")] == []
        finally:
            program.kill()


def test_servers_of_a_deleted_home_are_stopped(servers: PrivateServers) -> None:
    servers.ensure()
    shutil.rmtree(servers.home)
    servers.stop()
    assert processes(servers) == []
