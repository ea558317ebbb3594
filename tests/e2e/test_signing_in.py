"""Signing in and out."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from app.models import Seller
from tests.conftest import PASSWORD
from tests.e2e.conftest import OpenWindow
from tests.e2e.window import sign_in


def test_the_right_password_leads_to_my_imports(open_window: OpenWindow, seller: Seller) -> None:
    page = open_window()
    sign_in(page, seller.email)
    expect(page.get_by_role("heading", name="My Imports")).to_be_visible()
    expect(page.get_by_text(seller.email)).to_be_visible()


def test_a_wrong_password_is_told_and_the_address_is_kept(open_window: OpenWindow, seller: Seller) -> None:
    page = open_window()
    sign_in(page, seller.email, "not my password")
    expect(page.get_by_role("alert")).to_contain_text("Wrong email or password.")
    expect(page.get_by_label("Email address")).to_have_value(seller.email)
    expect(page.get_by_label("Password")).to_be_focused()
    page.goto("/imports")
    expect(page).to_have_url(re.compile("/login"))


def test_a_new_password_can_be_looked_at_and_lets_in(page: Page, open_window: OpenWindow, seller: Seller) -> None:
    page.goto("/settings/account")
    form = page.get_by_role("region", name="Change your password")
    form.get_by_label("Current password").fill(PASSWORD)
    new = form.get_by_label("New password")
    new.fill("a better password than before")
    expect(new).to_have_attribute("type", "password")
    form.get_by_label("Show passwords").check()
    expect(new).to_have_attribute("type", "text")
    form.get_by_role("button", name="Change password").click()
    expect(page.get_by_text("Password changed.")).to_be_visible()
    other = open_window()
    sign_in(other, seller.email, "a better password than before")
    expect(other.get_by_role("heading", name="My Imports")).to_be_visible()


def test_signing_in_leads_back_to_where_one_was(open_window: OpenWindow, seller: Seller) -> None:
    page = open_window(seller)
    page.goto("/imports")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto("/imports/upload")
    page.get_by_label("Email address").fill(seller.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/imports/upload$"))
