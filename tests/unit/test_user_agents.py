"""What browsers call themselves, in words."""

from __future__ import annotations

import pytest

from app.web.user_agents import describe_browser

_LIKE_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
_LIKE_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_LIKE_CHROME} Safari/537.36", "Chrome on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_LIKE_CHROME} Safari/537.36 Edg/142.0.0.0", "Edge on Windows"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_LIKE_CHROME} Safari/537.36 OPR/120.0", "Opera on Mac"),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_LIKE_SAFARI} Version/18.1 Safari/605.1.15",
            "Safari on Mac",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {_LIKE_CHROME} Safari/537.36", "Chrome on ChromeOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {_LIKE_CHROME} Mobile Safari/537.36", "Chrome on Android"),
        (
            "Mozilla/5.0 (Linux; Android 15; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 "
            "Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {_LIKE_SAFARI} Version/18.1 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) {_LIKE_SAFARI} CriOS/142.0.0.0 Mobile/15E148 Safari/604.1",
            "Chrome on iPad",
        ),
        # What it does not know it says as it is, and never more of it than fits.
        ("curl/8.5.0", "curl/8.5.0"),
        ("Mozilla/5.0 (Windows NT 10.0) Something/1.0", "Mozilla/5.0 (Windows NT 10.0) Something…"),
        ("x" * 200, "x" * 39 + "…"),
        ("", "A browser without a name"),
        (" ", "A browser without a name"),
    ],
)
def test_a_browser_is_told_in_few_words(user_agent: str, words: str) -> None:
    assert describe_browser(user_agent) == words
