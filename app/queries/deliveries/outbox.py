"""The outbox: messages to send, their claims, and the results of their attempts.

The transaction that changes an import also writes the messages about it, so that none is lost and none reports what did
not happen.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, select

from app.config import current_settings
from app.extensions import db
from app.import_fields import ImportState, camel, import_fields, iso
from app.models import Delivery
from app.queries import ImportKey, change, execute, fetch_as, fetch_one, fetch_value, fetch_values, older_than
from app.queries.status_sets import DELIVERY_GIVEN_UP, EMAIL, FINISHED_DELIVERIES, SENDING, WAITING, WEBHOOK
from app.statuses import IMPORT_EVENTS, Channel, DeliveryStatus, EmailOnEnd, ImportKind, ImportStatus

#: The event of a test message, which is tried once.
TEST_EVENT = "webhook.test"
#: The event of the email about an endpoint that was switched off.
SWITCHED_OFF_EVENT = "webhook.switched_off"
#: The event of the email with a link to set a new password.
PASSWORD_RESET_EVENT = "account.password_reset"

#: The longest wait between two attempts, in seconds.
LONGEST_WAIT_SECONDS = 12 * 3600.0
#: A claim that is older than this is reclaimed: an attempt takes seconds.
LEASE_SECONDS = 60.0

# A message is also due if it would wait longer than the longest wait: the clock has been set back since.
_IS_DUE = (
    "d.due_at not between clock_timestamp() and clock_timestamp() + make_interval(secs => %(longest_wait_seconds)s)"
)
_MAY_GO = f"(d.channel = {EMAIL} or e.switched_off_at is null)"


class DeliveryKey(NamedTuple):
    """The primary key of a delivery."""

    seller_id: int
    delivery_id: int


class EndpointKey(NamedTuple):
    """The primary key of a webhook endpoint."""

    seller_id: int
    endpoint_id: int


class Claimed(NamedTuple):
    """A claimed message, with all that is needed to send it."""

    key: DeliveryKey
    #: When it was claimed, which identifies the attempt.
    claimed_at: datetime
    #: The number of the attempt, from 1.
    attempt: int
    public_id: uuid.UUID
    channel: Channel
    event: str
    created_at: datetime
    #: The endpoint of a webhook, or that an email is about.
    endpoint: EndpointKey | None
    body: str | None
    url: str | None
    secret: str | None
    #: Only while the endpoint still signs with it.
    old_secret: str | None
    #: The address of an email.
    email: str
    import_public_id: uuid.UUID | None


class Result(NamedTuple):
    """The result of an attempt, as the log stores it."""

    status: DeliveryStatus
    #: Seconds until the next attempt, if there is one.
    wait_seconds: float
    code: int | None
    answer: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told(ImportState):
    """An import at the moment of a message about it."""

    #: The seller's setting.
    email_on_end: str
    #: The time of the message, by the database's clock.
    told_at: datetime

    @property
    def is_mailed(self) -> bool:
        """Whether the seller has asked for an email about it."""
        if self.finished_at is None:
            return False
        has_failed = self.failed > 0 or self.status == ImportStatus.FAILED
        return self.email_on_end == EmailOnEnd.ALWAYS or (self.email_on_end == EmailOnEnd.FAILED and has_failed)


def enqueue_notifications(key: ImportKey, status: ImportStatus) -> None:
    """Write the messages to all subscribers about an import that has just changed to ``status`` into the outbox.

    A webhook's body is built here, once, so it reports this moment: the caller's transaction has locked the import, and
    none of its batches is being written.
    """
    event = IMPORT_EVENTS[status]
    # Locked, because an endpoint that is deleted at this moment must not fail the import.
    query = """
        select id from webhook_endpoints
        where seller_id = %(seller_id)s and switched_off_at is null and %(event)s = any(events)
        for key share
    """
    hooks = fetch_values(query, seller_id=key.seller_id, event=event)
    settings = current_settings()
    if not hooks and not settings.sends_mail:
        return
    told = _look(key)
    about = {**key._asdict(), "event": event}
    if hooks:
        body = _body(event, told, public_url=settings.public_url)
        db.session.add_all(Delivery(channel=Channel.WEBHOOK, endpoint_id=hook, body=body, **about) for hook in hooks)
    if settings.sends_mail and told.is_mailed:
        db.session.add(Delivery(channel=Channel.EMAIL, **about))
    db.session.flush()


def _look(key: ImportKey) -> _Told:
    query = """
        select i.public_id, i.status, i.kind, i.file_name, coalesce(i.name, '') as given_name,
            i.total, c.*, i.created_at, i.finished_at,
            s.email_on_end, clock_timestamp() as told_at
        from imports i join sellers s on s.id = i.seller_id cross join lateral (
            select sum(b.created) as created, sum(b.updated) as updated, sum(b.unchanged) as unchanged,
                sum(b.failed) as failed, min(b.started_at) as started_at
            from batches b where b.seller_id = i.seller_id and b.import_id = i.id
        ) c
        where i.seller_id = %(seller_id)s and i.id = %(import_id)s
    """
    row = fetch_one(query, key)
    return _Told(**{**row._mapping, "kind": ImportKind(row.kind), "status": ImportStatus(row.status)})


def _body(event: str, told: _Told, *, public_url: str) -> str:
    """The body of a webhook: the fields that have a value, under their names in the API."""
    data = {camel(name): value for name, value in import_fields(told).items() if value is not None}
    if public_url:
        data["links"] = {"html": f"{public_url}/imports/{told.public_id}"}
    body = {"type": event, "timestamp": told.told_at, "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> str:
    return iso(value) if isinstance(value, datetime) else str(value)


def add_test(key: EndpointKey, body: str) -> None:
    """Write a test message for an endpoint into the outbox."""
    db.session.add(Delivery(channel=Channel.WEBHOOK, event=TEST_EVENT, body=body, **key._asdict()))
    db.session.flush()


def add_switched_off_mail(key: EndpointKey) -> None:
    """Write an email into the outbox that tells the seller that this endpoint was switched off."""
    db.session.add(Delivery(channel=Channel.EMAIL, event=SWITCHED_OFF_EVENT, **key._asdict()))
    db.session.flush()


def add_password_reset_mail(email: str) -> None:
    """Write an email with a link to set a new password into the outbox, if there is a seller with this address."""
    query = f"""
        insert into deliveries (seller_id, public_id, channel, event)
        select id, gen_random_uuid(), {EMAIL}, %(event)s from sellers where email = %(email)s
    """
    execute(query, email=email, event=PASSWORD_RESET_EVENT)


def has_work() -> bool:
    """Whether any message is due, or its claim has expired."""
    query = f"""
        select exists (
            select 1 from deliveries d left join webhook_endpoints e
                on e.seller_id = d.seller_id and e.id = d.endpoint_id
            where d.status = {WAITING} and {_IS_DUE} and {_MAY_GO}
               or d.status = {SENDING} and {older_than("d.claimed_at", "%(lease_seconds)s")})
    """
    return bool(fetch_value(query, longest_wait_seconds=LONGEST_WAIT_SECONDS, lease_seconds=LEASE_SECONDS))


def claim(*, limit: int, per_seller: int) -> list[Claimed]:
    """Claim due messages, longest waiting first. Each claim counts as an attempt.

    An endpoint gets one at a time, and a seller ``per_seller``, so slow receivers delay only their own sellers.
    """
    query = f"""
        with under_way as (
            select seller_id, endpoint_id, channel from deliveries where status = {SENDING}
        ), of_sellers as (
            select seller_id, count(*) as count from under_way group by seller_id
        ), of_endpoints as (
            select distinct on (d.seller_id, case when d.channel = {WEBHOOK} then d.endpoint_id else -d.id end)
                d.seller_id, d.id, d.due_at
            from deliveries d left join webhook_endpoints e
                on e.seller_id = d.seller_id and e.id = d.endpoint_id
            where d.status = {WAITING} and {_IS_DUE} and {_MAY_GO}
              and (d.channel = {EMAIL} or (d.seller_id, d.endpoint_id) not in (
                select seller_id, endpoint_id from under_way where channel = {WEBHOOK}))
            order by d.seller_id, case when d.channel = {WEBHOOK} then d.endpoint_id else -d.id end,
                d.due_at, d.id
        ), ranked as (
            select *, row_number() over (partition by seller_id order by due_at, id) as turn from of_endpoints
        ), chosen as (
            select r.seller_id, r.id from ranked r left join of_sellers s using (seller_id)
            where r.turn + coalesce(s.count, 0) <= %(per_seller)s
            order by r.due_at, r.id
            limit %(limit)s
        ), locked as (
            select d.seller_id, d.id from deliveries d join chosen using (seller_id, id)
            where d.status = {WAITING}
            for no key update of d skip locked
        ), claimed as (
            update deliveries d set status = {SENDING}, attempts = d.attempts + 1, claimed_at = clock_timestamp()
            from locked
            where d.seller_id = locked.seller_id and d.id = locked.id and d.status = {WAITING}
            returning d.*
        )
        select c.seller_id, c.id as delivery_id, c.claimed_at, c.attempts as attempt, c.public_id, c.channel, c.event,
            c.created_at, c.endpoint_id, c.body, e.url, e.secret,
            case when e.old_secret_until > clock_timestamp() then e.old_secret end as old_secret, s.email,
            i.public_id as import_public_id
        from claimed c join sellers s on s.id = c.seller_id
            left join webhook_endpoints e on e.seller_id = c.seller_id and e.id = c.endpoint_id
            left join imports i on i.seller_id = c.seller_id and i.id = c.import_id
        order by c.due_at, c.id
    """
    return fetch_as(_claimed, query, limit=limit, per_seller=per_seller, longest_wait_seconds=LONGEST_WAIT_SECONDS)


def _claimed(*, seller_id: int, delivery_id: int, endpoint_id: int | None, channel: str, **others: Any) -> Claimed:
    endpoint = None if endpoint_id is None else EndpointKey(seller_id, endpoint_id)
    return Claimed(DeliveryKey(seller_id, delivery_id), endpoint=endpoint, channel=Channel(channel), **others)


def record(one: Claimed, result: Result) -> bool:
    """Record the result of an attempt. Returns false if the message is no longer claimed by it."""
    query = f"""
        update deliveries set
            status = %(status)s,
            due_at = clock_timestamp() + make_interval(secs => %(wait_seconds)s),
            finished_at = case when %(status)s in {FINISHED_DELIVERIES} then clock_timestamp() end,
            answer_code = %(code)s, answer = %(answer)s, answer_body = %(body)s
        where seller_id = %(seller_id)s and id = %(delivery_id)s and status = {SENDING} and claimed_at = %(claimed_at)s
    """
    return change(query, one.key, claimed_at=one.claimed_at, **result._asdict())


def reclaim_expired(*, max_attempts: int) -> int:
    """Reclaim messages whose lease has expired. Returns their number.

    A deliverer may have died after the receiver had answered, so a message may arrive twice, under the same id.
    """
    query = f"""
        update deliveries set
            status = case when attempts < %(max_attempts)s then {WAITING} else {DELIVERY_GIVEN_UP} end,
            finished_at = case when attempts < %(max_attempts)s then null else clock_timestamp() end,
            due_at = clock_timestamp(), answer_code = null, answer_body = null,
            answer = 'The worker that was sending it stopped unexpectedly.'
        where status = {SENDING} and {older_than("claimed_at", "%(lease_seconds)s")}
    """
    return execute(query, lease_seconds=LEASE_SECONDS, max_attempts=max_attempts)


def send_again(key: EndpointKey, public_id: uuid.UUID) -> bool:
    """Send a message that is over, or waits, again from the first attempt; false if it is being sent."""
    query = f"""
        update deliveries set status = {WAITING}, attempts = 0, due_at = clock_timestamp(), finished_at = null
        where seller_id = %(seller_id)s and endpoint_id = %(endpoint_id)s and public_id = %(public_id)s
          and channel = {WEBHOOK} and status <> {SENDING}
    """
    return change(query, key, public_id=public_id)


def hurry(key: EndpointKey) -> None:
    """Make every waiting message of an endpoint due now, as if it had not been tried before."""
    query = f"""
        update deliveries set due_at = clock_timestamp(), attempts = 0
        where seller_id = %(seller_id)s and endpoint_id = %(endpoint_id)s and channel = {WEBHOOK} and status = {WAITING}
    """
    change(query, key)


def find(key: EndpointKey, public_id: uuid.UUID) -> Delivery | None:
    """The webhook of this endpoint with this public id."""
    return db.session.scalar(_of(key).filter_by(public_id=public_id))


def list_page(key: EndpointKey, *, limit: int, before: int | None = None) -> list[Delivery]:
    """The messages of an endpoint, sent and waiting, newest first, older than the id ``before``."""
    query = _of(key).order_by(Delivery.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Delivery.id < before)
    return list(db.session.scalars(query))


def _of(key: EndpointKey) -> Select[Delivery]:
    return select(Delivery).filter_by(**key._asdict(), channel=Channel.WEBHOOK)


def forget_old(*, days: int) -> int:
    """Delete as many messages that were over ``days`` ago as one transaction should. Returns their number."""
    query = f"""
        delete from deliveries d using (
            select seller_id, id from deliveries
            where status in {FINISHED_DELIVERIES}
              and finished_at < clock_timestamp() - make_interval(days => %(days)s)
            limit 5000
        ) old
        where d.seller_id = old.seller_id and d.id = old.id and d.status in {FINISHED_DELIVERIES}
    """
    return execute(query, days=days)
