"""The conversion of a file, as a worker does it: ``python -m bench.convert FILE EMAIL`` prints its cost and counts."""

from __future__ import annotations

import gc
import json
import os
import sys
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

from app import create_worker_app
from app.extensions import db
from app.identity import sellers
from app.imports import conversion_job, conversions, match_flow
from bench import memory


def main(path: Path, email: str) -> None:
    """Store the file with the mapping of its format, and convert it; only this is measured."""
    with create_worker_app().app_context():
        seller = sellers.find_seller(email)
        assert seller is not None
        with path.open("rb") as file:
            # Never held as a whole: the peak of memory is to be the conversion's own.
            made = conversions.upload(seller.id, path.name, iter(partial(file.read, 1 << 20), b""))
        mapping = match_flow.match(seller.id, made).mapping.with_rates({"EUR": "0.86"})
        conversions.set_mapping(seller.id, made.public_id, mapping)
        queued = conversions.convert(seller.id, made.public_id, in_background=False)
        key = (seller.id, queued.id, queued.attempt)
        # As in a work-horse.
        gc.disable()
        resident, began, worked = memory.resident_bytes(os.getpid()), perf_counter(), process_time()
        conversion_job.run(*key)
        seconds, processor_seconds = perf_counter() - began, process_time() - worked
        growth = memory.peak_bytes(os.getpid()) - resident
        db.session.rollback()
        done = conversions.get(seller.id, made.public_id)
        counts = {name: getattr(done, name) for name in ("rows", "undecided", "reason")}
        conversions.delete(seller.id, made.public_id)
    costs = {"seconds": seconds, "processor_seconds": processor_seconds, "growth_bytes": growth}
    print(json.dumps({**costs, **counts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
