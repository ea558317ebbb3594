"""Two sellers at two screens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from app.models import Seller
from tests.e2e.conftest import OpenWindow
from tests.e2e.files import FIRST_IMPORT, MISTAKES
from tests.e2e.window import status_of, upload_and_follow

pytestmark = pytest.mark.usefixtures("working")


def test_each_sees_only_their_own(open_window: OpenWindow, seller: Seller, other_seller: Seller) -> None:
    windows = open_window(seller), open_window(other_seller)
    files = FIRST_IMPORT, MISTAKES
    paths = [
        upload_and_follow(window, file.read_bytes(), name=file.name)
        for window, file in zip(windows, files, strict=True)
    ]
    for window, status in zip(windows, ("COMPLETED", "FAILED"), strict=True):
        status_of(window, status)
    for number, window in enumerate(windows):
        window.goto("/imports")
        expect(window.locator("[data-import-id]")).to_have_count(1)
        expect(window.get_by_role("heading", name=files[number].name)).to_be_visible()
        for part in ("", "/panel", "/errors", "/terminate", "/source.csv", "/failed.csv", "/errors.csv"):
            answer = window.goto(paths[1 - number] + part)
            assert answer is not None
            assert answer.status == 404
            expect(window.get_by_role("heading", name="Page not found")).to_be_visible()
            expect(window.get_by_text(files[1 - number].name)).to_have_count(0)
