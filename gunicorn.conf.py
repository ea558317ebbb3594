"""How gunicorn serves the pages."""

import gc
import os
from typing import Any

# Private by default: a public proxy goes in front.
bind = f"127.0.0.1:{os.environ.get('PORT') or 8000}"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)

# Requests mostly wait, for the database or for the bytes of an upload, which may take minutes. Threads wait cheaply,
# and unlike in a sync worker a slow upload does not run into the timeout, which then only ends a worker that hangs.
# Uploads get two thirds of them at most, so that pages and buttons always have theirs, and slow ones are cut off.
worker_class = "serving.Worker"
threads = 24
timeout = 60
graceful_timeout = 15
keepalive = 5

# The longest that is allowed: three full fields of a search in Chinese take 5,500 bytes. Beyond it there is no page.
limit_request_line = 8190

# Each worker makes its own connections: none may be shared across a fork.
preload_app = False

# Not used, and its path under the home directory would be shared by all instances of a user.
control_socket_disable = True

accesslog = None
errorlog = "-"


def on_starting(server: Any) -> None:
    """Refuse what the worker class does not do: TLS, at which its event loop would wait for ever."""
    if server.cfg.is_ssl:
        raise SystemExit("Sluice's web server speaks no TLS: leave certfile and keyfile out, and let a proxy do it.")


def post_worker_init(_: object) -> None:
    """Configure logs and metrics as in the other processes, rehearse, and spare the garbage collector what is there.

    The threads that check an upload share the memory that the C library frees; Arrow's own pool keeps some for each.
    """
    from app.config import load_settings
    from app.csvfile import scan
    from app.imports.worker import memory
    from app.observability import logs, metrics

    settings = load_settings()
    logs.configure(settings.log_format)
    metrics.share(settings.sluice_home / "metrics", "web")
    memory.keep_freed()
    scan.rehearse()
    gc.collect()
    gc.freeze()
