"""An S3 server for tests, in a separate process, over real HTTP."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from tests.hosts import Host
from tests.processes import die_with_parent, wait_until

BUCKET = "sluice-test"


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch, host: Host | None = None) -> Iterator[str]:
    """The address of a server with an empty bucket, optionally on another host.

    The credentials are in the environment while it runs.
    """
    with s3_process(host) as address:
        with host.entered() if host else nullcontext():
            make_bucket(address, monkeypatch)
        yield address


@contextmanager
def s3_process(host: Host | None = None) -> Iterator[str]:
    """The address of a server, optionally on another host."""
    port = free_port()
    ip = host.address if host else "127.0.0.1"
    server = subprocess.Popen(
        [*(host.prefix if host else ()), sys.executable, "-m", "moto.server", "-H", ip, "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    try:
        with host.entered() if host else nullcontext():
            wait_until(lambda: listens(ip, port))
        yield f"http://{ip}:{port}"
    finally:
        server.terminate()
        server.wait(10)


def make_bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an empty bucket and nothing else on the server, and the credentials for it in the environment."""
    # Loading it takes longer than most tests, which do not need it.
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    urllib.request.urlopen(f"{address}/moto-api/reset", data=b"").close()
    client = boto3.client("s3", endpoint_url=address)
    client.create_bucket(Bucket=BUCKET)
    client.close()


def free_port() -> int:
    """A port that no process listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listens(ip: str, port: int) -> bool:
    """Whether a process accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex((ip, port)) == 0
