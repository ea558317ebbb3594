"""The parts of a worker."""

from __future__ import annotations

import ctypes
import logging
import signal
import subprocess
import sys
import time

import pytest
from flask import Flask
from redis import Redis
from rq.exceptions import StopRequested

from app.jobs.queue import QUEUE_NAME
from app.jobs.worker import SluiceWorker, Supervisor, Work
from tests.processes import ROOT


@pytest.mark.slow
def test_workers_load_neither_pages_nor_migrations_and_do_not_look_for_garbage_meanwhile() -> None:
    script = """
import gc, sys, worker
print(*(name for name in sys.modules if name.startswith(("app.web", "app.api", "alembic"))))
print(gc.get_stats()[2]["collections"])
"""
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == ["0"]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="without glibc")
def test_a_worker_uses_the_memory_again_that_it_has_freed() -> None:
    script = """
from resource import RUSAGE_SELF, getrusage
import numpy, pyarrow
from app.imports.worker.memory import keep_freed
keep_freed()
def use(): return [pyarrow.array(numpy.ones(250_000)).take(numpy.arange(250_000)) for _ in range(4)]
use()
before = getrusage(RUSAGE_SELF).ru_minflt
use()
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    # It uses some 4,000 pages.
    assert int(done.stdout) < 2_000, "the kernel has filled pages with zeros"


def test_a_worker_that_is_asked_again_stops_as_if_asked_for_the_first_time(app: Flask, environ: dict[str, str]) -> None:
    connection = Redis.from_url(environ["REDIS_URL"])
    worker = SluiceWorker(app, connection, QUEUE_NAME, rehearse=lambda: None)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with pytest.raises(StopRequested):
            worker.request_stop(signal.SIGTERM, None)
        # The exception was lost in code that ignores all of them. RQ ignores a second request within a second.
        worker._shutdown_requested_date = None
        with pytest.raises(StopRequested):
            signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        connection.close()


@pytest.mark.slow
def test_a_supervisor_asks_a_worker_that_missed_its_request_again(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    # As a worker does that was forked a moment ago, and still has the handler of its supervisor.
    script = "import signal; signal.signal(15, signal.default_int_handler)\n"
    script += (
        "for _ in 'first', 'second':\n  try:\n    print(flush=True); signal.pause()\n  except KeyboardInterrupt: pass"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        worker.stdout.readline()
        supervisor = Supervisor(app, {}, Work(*[lambda *_: None] * 6))
        supervisor._started[worker.pid] = time.monotonic(), QUEUE_NAME
        with caplog.at_level(logging.INFO):
            supervisor._stop()
    assert f"worker {worker.pid} ended with exit code 0" in caplog.text
