"""The settings that operators have."""

from __future__ import annotations

import pytest

from app.config import ConfigError, load_settings


def test_without_being_told_nothing_is_removed() -> None:
    settings = load_settings({})
    assert settings.keep_sources_days == settings.keep_errors_days == settings.keep_imports_days == 0
    assert (settings.metrics_token, settings.log_format, settings.trusted_proxies) == ("", "json", 0)


def test_nothing_is_for_ever() -> None:
    settings = load_settings({"KEEP_SOURCES_DAYS": "0", "KEEP_ERRORS_DAYS": "7", "LOG_FORMAT": "text"})
    assert (settings.keep_sources_days, settings.keep_errors_days, settings.log_format) == (0, 7, "text")


@pytest.mark.parametrize(
    ("name", "value"), [("KEEP_IMPORTS_DAYS", "-1"), ("TRUSTED_PROXIES", "one"), ("LOG_FORMAT", "xml")]
)
def test_nonsense_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load_settings({name: value})
