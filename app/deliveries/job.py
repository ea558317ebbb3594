"""The job that sends what is due in the outbox, several messages at a time, until nothing is left.

What it claims is noted in the database, and so is what comes of it. It may die at any moment: what it was sending is
taken back after its lease and sent once more under the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from time import monotonic

from sqlalchemy.exc import DBAPIError, NoResultFound

from app.config import current_settings
from app.deliveries import mail, webhook
from app.deliveries.retry_policy import MAX_ATTEMPTS, SWITCH_OFF_AFTER_SECONDS, result_of
from app.deliveries.webhook import SendResult
from app.extensions import db
from app.imports.commands import ImportNotFound
from app.imports.worker.batch_job import is_shutdown_requested
from app.queries.deliveries import outbox, webhook_endpoints
from app.queries.deliveries.outbox import TEST_EVENT, Claimed
from app.statuses import Channel, DeliveryStatus, SwitchedOff

log = logging.getLogger(__name__)

#: Messages under way at once, and how many of them may be one seller's.
_SLOTS = 16
_SLOTS_OF_SELLER = 4
#: How soon what has become due meanwhile is noticed while slow receivers are waited for.
_LOOK_AGAIN_SECONDS = 0.25
#: Nothing more is claimed after so long, so that no process grows old; the tick calls the next one.
_TURN_SECONDS = 60.0


def run() -> None:
    """Send what is due; RQ calls this."""
    if lost := outbox.take_back(max_attempts=MAX_ATTEMPTS):
        log.warning("%s messages taken back", lost)
    db.session.commit()
    ends_at = monotonic() + _TURN_SECONDS
    under_way: dict[Future[SendResult], Claimed] = {}
    # Threads only talk to receivers; the database is this one's business.
    pool = ThreadPoolExecutor(_SLOTS)
    try:
        while True:
            if monotonic() < ends_at and not is_shutdown_requested():
                for claimed in _claim(_SLOTS - len(under_way)):
                    under_way[pool.submit(_prepare(claimed))] = claimed
            if not under_way:
                return
            done, _ = wait(under_way, timeout=_LOOK_AGAIN_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                _record(under_way.pop(future), future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _claim(room: int) -> list[Claimed]:
    if not room:
        return []
    claimed = outbox.claim(limit=room, per_seller=_SLOTS_OF_SELLER)
    # Committed first: what is sent must be known to be under way.
    db.session.commit()
    return claimed


def _prepare(one: Claimed) -> Callable[[], SendResult]:
    """What a thread has to do for a message; it needs nothing but this."""
    settings = current_settings()
    if one.channel is Channel.WEBHOOK:
        assert one.url is not None
        assert one.body is not None
        assert one.secret is not None
        url, body = one.url, one.body
        signing = [secret for secret in (one.secret, one.old_secret) if secret]
        return lambda: webhook.send(url, message_id(one), body, signing, allow_private=settings.webhook_allow_private)
    server = mail.server_of(settings)
    if server is None:
        return lambda: SendResult(False, None, "No mail server is set.", is_final=True)
    try:
        written = mail.write(one, settings)
    except (ImportNotFound, NoResultFound):
        return lambda: SendResult(False, None, "What it was to speak of is gone.", is_final=True)
    except DBAPIError:
        raise
    except Exception:
        # Such as an address that no e-mail can have. The others must not suffer for it.
        log.exception("e-mail not written", extra={"delivery": one.key})
        return lambda: SendResult(False, None, "The e-mail could not be written.", is_final=True)
    finally:
        db.session.rollback()
    return lambda: mail.send(written, server)


def message_id(one: Claimed) -> str:
    """What the receiver knows a message by; the same for each attempt."""
    return f"msg_{one.public_id.hex}"


def _record(one: Claimed, future: Future[SendResult]) -> None:
    try:
        answer = future.result()
    except Exception:
        log.exception("sending failed", extra={"delivery": one.key})
        answer = SendResult(False, None, "Sluice met with an unexpected error.")
    result = result_of(one, answer)
    if outbox.record(one, result):
        log.info("message %s: %s", result.status, answer.sentence, extra={"delivery": one.key, "attempt": one.attempt})
        if one.channel is Channel.WEBHOOK:
            _judge_endpoint(one, answer, result.status)
    db.session.commit()


def _judge_endpoint(one: Claimed, answer: SendResult, status: DeliveryStatus) -> None:
    """Switch an endpoint off that wants nothing more, or that nothing has reached for as long as a message is tried."""
    key = one.endpoint
    assert key is not None
    if answer.is_accepted:
        webhook_endpoints.note_arrival(key)
    elif answer.is_final:
        _switch_off(one, SwitchedOff.GONE)
    elif one.event != TEST_EVENT:
        webhook_endpoints.note_failure(key)
        if status is DeliveryStatus.GIVEN_UP and webhook_endpoints.has_failed_for(key, SWITCH_OFF_AFTER_SECONDS):
            _switch_off(one, SwitchedOff.FAILING)


def _switch_off(one: Claimed, why: SwitchedOff) -> None:
    settings = current_settings()
    assert one.endpoint is not None
    if webhook_endpoints.switch_off(one.endpoint, why):
        log.info("endpoint switched off: %s", why, extra={"endpoint": one.endpoint})
        if settings.sends_mail:
            outbox.add_switched_off_mail(one.endpoint)
