"""A real PgBouncer in front of the tests' PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.conftest import CLUSTER
from tests.processes import wait_until

_PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextmanager
def pooler(environ: dict[str, str], directory: Path, mode: str) -> Iterator[dict[str, str]]:
    """The environment of an installation behind PgBouncer, with its defaults except for ``mode``.

    Skips the test if there is no PgBouncer.
    """
    if _PROGRAM is None:
        pytest.skip("pgbouncer is not installed here")
    if CLUSTER:
        pytest.skip("The pooler stands in front of the tests' own server.")
    address = urlsplit(environ["DATABASE_URL"])
    database = address.path.removeprefix("/")
    (host,) = parse_qs(address.query)["host"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    users, settings = directory / "users.txt", directory / "pgbouncer.ini"
    users.write_text('"postgres" ""\n')
    settings.write_text(
        f"[databases]\n{database} = host={host} dbname={database}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {users}\npool_mode = {mode}\n"
    )
    owner = None
    if os.geteuid() == 0:
        # It refuses to run as root; the servers' own account can reach the socket.
        owner = Path(host).stat().st_uid
        for path in (directory, users, settings):
            os.chown(path, owner, -1)
    command = [_PROGRAM, str(settings)]
    process = subprocess.Popen(
        command if owner is None else [*command, "--user", pwd.getpwuid(owner).pw_name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    through = f"postgresql://postgres@127.0.0.1:{port}/{database}"

    def serves() -> bool:
        assert process.poll() is None, "pgbouncer did not start"
        try:
            psycopg.connect(through).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(serves)
        yield {**environ, "DATABASE_URL": through}
    finally:
        process.terminate()
        process.wait(10)
