"""Asks for the password again, before actions that a stolen session must not allow."""

from flask import request
from flask_login import current_user
from wtforms import Field

from app.identity import login_throttle
from app.identity.login_throttle import Purpose
from app.models import Seller


def confirm(field: Field) -> Seller | None:
    """The seller if ``field`` has their password; else None, with an error at the field. Raises TooManyAttempts."""
    if not field.data:
        return None
    address = request.remote_addr or ""
    seller = login_throttle.check_password(current_user.email, field.data, address=address, purpose=Purpose.CONFIRM)
    if seller is None:
        field.errors = ["That’s not your current password."]
    return seller
