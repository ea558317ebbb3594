"""The parts of a worker."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT


@pytest.mark.slow
def test_workers_do_not_hold_the_pages_in_memory() -> None:
    script = "import sys, worker; print(*(name for name in sys.modules if name.startswith(('app.web', 'app.api'))))"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
