"""Short names for browsers, such as “Firefox on Windows”."""

#: Words in User-Agent headers, and browsers' names. Each browser also sends the words of those below it.
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
#: The same for operating systems.
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
    """Such as “Firefox on Windows”; an unknown one is returned as it is, shortened."""
    browser = _find(user_agent, _BROWSERS)
    system = _find(user_agent, _SYSTEMS)
    if browser and system:
        return f"{browser} on {system}"
    if not user_agent.strip():
        return "A browser without a name"
    return user_agent if len(user_agent) <= _MAX_LENGTH else f"{user_agent[: _MAX_LENGTH - 1].rstrip()}…"


def _find(user_agent: str, names: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for mark, name in names if mark in user_agent), None)
