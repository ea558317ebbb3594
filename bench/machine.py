"""Describes the machine of the measurements, without anything that identifies it."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from redis import Redis

from bench import CHECKOUT
from bench.services import Installation


def describe(installation: Installation) -> dict[str, Any]:
    """The machine, the versions of its software, and the state of the checkout."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": _postgresql(installation),
        "postgresql_settings": _settings(installation),
        "redis": _redis(installation),
    }


def commit() -> str:
    """The short id of the checked-out commit, with ``-dirty`` if the files differ from it."""
    git = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty", "--exclude=*", "--abbrev=9"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.machine()


def _postgresql(installation: Installation) -> str:
    found = installation.database.execute("select current_setting('server_version')").fetchone()
    return str(found[0]) if found else "unknown"


def _settings(installation: Installation) -> dict[str, str]:
    """The settings that affect the measurements."""
    names = ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size", "wal_level"]
    query = "select name, current_setting(name) from pg_settings where name = any(%s) order by name"
    return dict(installation.database.execute(query, (names,)).fetchall())


def _redis(installation: Installation) -> str:
    with Redis.from_url(installation.redis_url, socket_timeout=5) as client:
        return str(client.info("server")["redis_version"])
