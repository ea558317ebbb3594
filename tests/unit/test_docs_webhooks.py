"""What docs/webhooks.md shows to receivers works."""

from __future__ import annotations

import re
import time

import pytest

from app.deliveries import webhook
from tests.processes import ROOT

BODY = '{"type":"import.completed"}'


@pytest.fixture
def verify():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), flags=re.DOTALL)
    names: dict = {}
    exec(code, names)
    return names["verify"]


def test_the_receiver_of_the_documentation_knows_our_calls_from_those_of_others(verify) -> None:
    secret, other, now = webhook.new_secret(), webhook.new_secret(), int(time.time())
    signatures = " ".join(webhook.sign(one, "msg_1", now, BODY) for one in (other, secret))
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signatures}
    assert verify(secret, headers, BODY.encode())
    assert not verify(webhook.new_secret(), headers, BODY.encode())
    assert not verify(secret, headers, BODY.encode() + b" ")
    assert not verify(secret, {**headers, "webhook-id": "msg_2"}, BODY.encode())
    old = str(now - 3600)
    replayed = {**headers, "webhook-timestamp": old, "webhook-signature": webhook.sign(secret, "msg_1", int(old), BODY)}
    assert not verify(secret, replayed, BODY.encode())
