"""The workers of this host: ``python worker.py``."""

import gc

# Starting makes many objects and hardly any garbage: looking for it took a sixth of the time. A chunk makes many
# thousands, none of them in a cycle.
gc.set_threshold(100_000)

from app import create_worker_app, periodic_tasks
from app.imports.worker import catalog_cache
from app.imports.worker.rehearsal import rehearse
from app.jobs import worker
from app.observability import logs, metrics


def main() -> None:
    """Put together what the workers do, and run them."""
    app = create_worker_app()
    logs.configure(app.extensions["sluice_settings"].log_format)
    work = worker.Work(
        rehearse, catalog_cache.is_missing, catalog_cache.make, periodic_tasks.tick, metrics.share, metrics.serve
    )
    worker.run(app, work)


if __name__ == "__main__":
    main()
