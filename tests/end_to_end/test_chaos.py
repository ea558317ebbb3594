"""A short form of ``make chaos``: a few of its faults, chosen at random, fall upon one import."""

from __future__ import annotations

import os
import random
import subprocess
import sys

from tests.processes import ROOT


def test_a_few_faults_at_random() -> None:
    """A failure tells its seed, and CHAOS_SEED in the environment does the same things at the same moments again."""
    seed = os.environ.get("CHAOS_SEED") or str(random.randrange(1_000_000))
    # In a separate process, because it stops and starts servers.
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--short", "--seed", seed],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, f"CHAOS_SEED={seed}\n{done.stdout}"
