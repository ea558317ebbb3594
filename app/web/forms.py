"""The forms that take more than a press of a button, and what forms have in common."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.exceptions import BadRequest
from wtforms import Field, PasswordField, StringField
from wtforms.validators import InputRequired, ValidationError

from app import passwords

#: What a script may write for a switch that is off; a browser leaves the field out.
_OFF = frozenset({"", "0", "false", "no", "off"})


class SignInForm(FlaskForm):
    """E-mail address and password."""

    email = StringField("E-mail address", validators=[InputRequired("Enter your e-mail address.")])
    password = PasswordField("Password", validators=[InputRequired("Enter your password.")])


class ConfirmForm(FlaskForm):
    """The password of whoever is signed in, before something that a stolen session must not do."""

    current_password = PasswordField("Current password", validators=[InputRequired("Enter your current password.")])


class PasswordForm(ConfirmForm):
    """Another password for whoever is signed in."""

    new_password = PasswordField("New password", validators=[InputRequired("Enter a new password.")])

    def validate_new_password(self, field: Field) -> None:
        """Say of a password that will not do why it will not."""
        try:
            passwords.check(field.data, email=current_user.email)
        except passwords.WeakPassword as weak:
            raise ValidationError(str(weak)) from None


class EndpointForm(FlaskForm):
    """A new webhook: where to. The events it is for are boxes beside it."""

    url = StringField(
        "Address",
        filters=[lambda text: text.strip() if text else text],
        validators=[InputRequired("Enter the address that is to be called.")],
    )


def is_on(fields: Mapping[str, str], name: str) -> bool:
    """Whether the switch ``name`` is on in a form that was sent."""
    return fields.get(name, "").strip().lower() not in _OFF


def read_form_key(fields: Mapping[str, str]) -> uuid.UUID | None:
    """By what a form that was sent is told from the next one; None where it has no key. Raises BadRequest."""
    if not fields.get("form_key"):
        return None
    try:
        return uuid.UUID(fields["form_key"])
    except ValueError:
        raise BadRequest("The form_key is not a UUID.") from None
