"""The job that sends due messages of the outbox, several at a time, until none is left.

Claims and results are stored in the database. It may die at any moment: its messages are reclaimed after their lease
and sent again under the same id.
"""

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from time import monotonic

from sqlalchemy.exc import DBAPIError, NoResultFound

from app.config import current_settings, parse_smtp_url
from app.deliveries import mail, webhook
from app.deliveries.retry_policy import MAX_ATTEMPTS, SWITCH_OFF_AFTER_SECONDS, result_of
from app.deliveries.webhook import SendResult
from app.extensions import db
from app.identity.password_reset import LinkExpired
from app.imports.errors import ImportNotFound
from app.jobs.shutdown import is_shutdown_requested
from app.queries.deliveries import outbox, webhook_endpoints
from app.queries.deliveries.outbox import TEST_EVENT, Claimed, EndpointKey
from app.statuses import Channel, DeliveryStatus, SwitchedOff

log = logging.getLogger(__name__)

#: Messages sent concurrently, in all and for one seller.
_SLOTS = 16
_SLOTS_OF_SELLER = 4
#: How often new messages are claimed while slow receivers are waited for, in seconds.
_LOOK_AGAIN_SECONDS = 0.25
#: Nothing is claimed after this many seconds, so that no process lives long; the tick starts the next one.
_TURN_SECONDS = 60.0


def run() -> None:
    """Send due messages; RQ calls this."""
    if lost := outbox.reclaim_expired(max_attempts=MAX_ATTEMPTS):
        log.warning("%s messages reclaimed", lost)
    db.session.commit()
    ends_at = monotonic() + _TURN_SECONDS
    under_way: dict[Future[SendResult], Claimed] = {}
    # Threads only talk to receivers; only this thread uses the database.
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
    # Committed first: a message must be claimed before it is sent.
    db.session.commit()
    return claimed


def _prepare(one: Claimed) -> Callable[[], SendResult]:
    """The function that a thread calls to send a message; it needs no database."""
    settings = current_settings()
    if one.channel is Channel.WEBHOOK:
        assert one.url is not None
        assert one.body is not None
        assert one.secret is not None
        url, body = one.url, one.body
        signing = [secret for secret in (one.secret, one.old_secret) if secret]
        return lambda: webhook.send(url, message_id(one), body, signing, allow_private=settings.webhook_allow_private)
    if not settings.sends_mail:
        return lambda: SendResult(False, None, "No mail server is configured.", is_final=True)
    try:
        written = mail.write(one, settings)
    except LinkExpired:
        return lambda: SendResult(False, None, "Its link expired before it could be sent.", is_final=True)
    except (ImportNotFound, NoResultFound):
        return lambda: SendResult(False, None, "The import it was about no longer exists.", is_final=True)
    except DBAPIError:
        raise
    except Exception:
        # Such as an invalid address. It must not affect other messages.
        log.exception("email not written", extra={"delivery": one.key})
        return lambda: SendResult(False, None, "The email could not be written.", is_final=True)
    finally:
        db.session.rollback()
    server = parse_smtp_url(settings.smtp_url)
    return lambda: mail.send(written, server)


def message_id(one: Claimed) -> str:
    """The receiver's id of a message; the same for each attempt."""
    return f"msg_{one.public_id.hex}"


def _record(one: Claimed, future: Future[SendResult]) -> None:
    try:
        answer = future.result()
    except Exception:
        log.exception("sending failed", extra={"delivery": one.key})
        answer = SendResult(False, None, "An unexpected error occurred in Sluice.")
    result = result_of(one, answer)
    if outbox.record(one, result):
        log.info("message %s: %s", result.status, answer.sentence, extra={"delivery": one.key, "attempt": one.attempt})
        if one.channel is Channel.WEBHOOK:
            _judge_endpoint(one, answer, result.status)
    db.session.commit()


def _judge_endpoint(one: Claimed, answer: SendResult, status: DeliveryStatus) -> None:
    """Switch an endpoint off after 410 Gone, or after a time without any delivery."""
    key = one.endpoint
    assert key is not None
    if answer.is_accepted:
        webhook_endpoints.note_arrival(key)
    elif answer.is_final:
        _switch_off(key, SwitchedOff.GONE)
    elif one.event != TEST_EVENT:
        webhook_endpoints.note_failure(key)
        if status is DeliveryStatus.GIVEN_UP and webhook_endpoints.has_failed_for(key, SWITCH_OFF_AFTER_SECONDS):
            _switch_off(key, SwitchedOff.FAILING)


def _switch_off(key: EndpointKey, why: SwitchedOff) -> None:
    if webhook_endpoints.switch_off(key, why):
        log.info("endpoint switched off: %s", why, extra={"endpoint": key})
        if current_settings().sends_mail:
            outbox.add_switched_off_mail(key)
