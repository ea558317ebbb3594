"""What a browser calls itself, in few words that its owner knows it by."""

from __future__ import annotations

#: What browsers write, and their names. Each also writes what those below it do.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Version/", "Safari"),
)
#: The same for what they run on.
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Macintosh", "Mac"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_MAX_LENGTH = 40


def describe_browser(user_agent: str) -> str:
    """Such as “Firefox on Windows”; what says neither is given as it is, cut short."""
    browser = _find(user_agent, _BROWSERS)
    system = _find(user_agent, _SYSTEMS)
    if browser and system:
        return f"{browser} on {system}"
    if not user_agent.strip():
        return "A browser without a name"
    return user_agent if len(user_agent) <= _MAX_LENGTH else f"{user_agent[: _MAX_LENGTH - 1].rstrip()}…"


def _find(user_agent: str, names: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for mark, name in names if mark in user_agent), None)
