"""Decides alone when a message is retried and when it is given up."""

import random

from app.deliveries.webhook import SendResult
from app.queries.deliveries.outbox import LONGEST_WAIT_SECONDS, TEST_EVENT, Claimed, Result
from app.statuses import DeliveryStatus

_MINUTE, _HOUR = 60, 3600
#: The wait after each attempt; together a little more than a day.
WAITS_SECONDS = (5, 30, 2 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 9 * _HOUR)
MAX_ATTEMPTS = len(WAITS_SECONDS) + 1
#: An endpoint without a delivery for this long is switched off when the next message is given up.
SWITCH_OFF_AFTER_SECONDS = 23 * 3600.0

#: Jitter, so that messages that failed together are not all retried in the same second.
_JITTER = 0.1
#: Longest wait that a receiver may ask for: the message must still be sent.
_MAX_RETRY_AFTER_SECONDS = LONGEST_WAIT_SECONDS / 2


def result_of(one: Claimed, answer: SendResult) -> Result:
    """The state of a message after an attempt."""
    if answer.is_accepted:
        status, wait = DeliveryStatus.DELIVERED, 0.0
    elif answer.is_final or one.event == TEST_EVENT or one.attempt >= MAX_ATTEMPTS:
        status, wait = DeliveryStatus.GIVEN_UP, 0.0
    else:
        status, wait = DeliveryStatus.WAITING, wait_after(one.attempt, answer.retry_after)
    return Result(status, wait, answer.code, answer.sentence, answer.body)


def wait_after(attempt: int, retry_after: float | None = None) -> float:
    """Seconds to wait after this failed attempt, counted from 1."""
    own = WAITS_SECONDS[attempt - 1] * random.uniform(1, 1 + _JITTER)
    return max(own, min(retry_after or 0.0, _MAX_RETRY_AFTER_SECONDS))
