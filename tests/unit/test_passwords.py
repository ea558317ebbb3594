"""What a password must be like."""

from __future__ import annotations

import pytest

from app.demo import DEMO_PASSWORD
from app.identity import passwords
from app.identity.passwords import WeakPassword


@pytest.mark.parametrize(
    "password",
    [
        DEMO_PASSWORD,
        "a good password",
        "correct horse battery staple",
        "ö" * 7 + "xy",
        "xyz" * 333 + "!",
        " " * 7 + "ab",
    ],
)
def test_one_that_will_do(password: str) -> None:
    passwords.check(password, email="seller@example.com")


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "at least 8"),
        ("sh0rt!!", "at least 8"),
        ("x" * 1_001, "too long"),
        ("password", "too common"),
        ("PassWord1", "too common"),
        ("1234567890", "too common"),
        ("qwertyuiop", "too common"),
        ("aaaaaaaaaaaaaaaa", "too common"),
        ("seller@example.com", "easy to guess"),
        ("Seller2026!", "easy to guess"),
        ("sluice-2026", "easy to guess"),
    ],
)
def test_one_that_will_not(password: str, words: str) -> None:
    with pytest.raises(WeakPassword, match=words):
        passwords.check(password, email="seller@example.com")


def test_the_list_has_at_least_what_asvs_asks_for() -> None:
    common = passwords._common()
    assert len(common) >= 3_000
    assert all(len(one) >= passwords.MIN_LENGTH for one in common)
