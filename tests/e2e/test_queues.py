"""What lies in Redis is shown to operators as a text, whatever it is."""

from __future__ import annotations

from flask import Flask
from playwright.sync_api import expect

from app.extensions import db
from app.jobs.queue import open_queue
from app.models import Seller
from app.redis_client import redis_client
from tests.e2e.conftest import OpenWindow

_HTML = '<meta http-equiv="refresh" content="0;url=/help/csv"><b id="planted">bold</b>'


def test_html_in_redis_is_a_text(app: Flask, address: str, seller: Seller, open_window: OpenWindow) -> None:
    seller.is_operator = True
    db.session.commit()
    queue = open_queue(redis_client())
    queue.enqueue_job(
        queue.create_job("app.imports.worker.batch_job.run", args=[1, 2, 3, 4], job_id="x", description=_HTML)
    )
    redis_client().sadd("rq:queues", f"rq:queue:{_HTML}")
    page = open_window(seller, width=375)
    for path in ("0/view/job/x", "0/view/jobs/sluice/queued/8/asc/1", ""):
        page.goto(f"{address}/ops/queues/{path}")
        expect(page.locator(".container").get_by_text(_HTML).first).to_be_visible()
        assert page.locator("#planted, meta[http-equiv]").count() == 0
        # What changes something is refused, so no button offers it; and the way back does not leave the window.
        assert page.locator("#compact-btn:visible, #requeue-all-btn:visible, #requeue-job-btn:visible").count() == 0
        assert page.locator("#navbar-dashboard").evaluate("bar => bar.scrollWidth <= bar.clientWidth")
        assert page.url == f"{address}/ops/queues/{path}"
    redis_client().delete("rq:job:x", "rq:queue:sluice")
    redis_client().srem("rq:queues", f"rq:queue:{_HTML}")
    page.get_by_role("link", name="← Operations").click()
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
