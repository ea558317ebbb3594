"""``make run``: what hinders it is said before anything is started."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT


def test_a_port_that_is_taken_is_refused_before_anything_is_started(environ: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        done = subprocess.run(
            [sys.executable, "-m", "app.local.launch"],
            cwd=ROOT,
            env={**environ, "SLUICE_HOME": str(home), "REDIS_URL": "", "PORT": str(listener.getsockname()[1])},
            capture_output=True,
            text=True,
            check=False,
        )
    assert "cannot be used (Address already in use). Name another one with PORT." in done.stderr
    assert done.returncode == 2
    assert not home.exists()
