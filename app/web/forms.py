"""The forms that take more than a press of a button, and what forms have in common."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.exceptions import BadRequest, UnprocessableEntity
from wtforms import BooleanField, Field, PasswordField, StringField
from wtforms.validators import InputRequired, ValidationError

from app import passwords

#: What a switch may say: what addresses of the API say, and what boxes of HTML forms do. A browser leaves the field
#: out where the box is not ticked.
_SWITCH = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


class FormRefused(UnprocessableEntity):
    """A form has a field that it must not have, or one with a wrong value; the message says what to send instead."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"The field “{field}”: {message}")
        #: As webargs tells what is wrong with a parameter, so that the API tells this in the same way.
        self.data = {"messages": {"form": {field: [message]}}}


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
    revoke_tokens = BooleanField("Revoke all API tokens")

    def validate_new_password(self, field: Field) -> None:
        """Say of a password that will not do why it will not."""
        try:
            passwords.check(field.data, email=current_user.email)
        except passwords.WeakPassword as weak:
            raise ValidationError(str(weak)) from None


class EndpointForm(ConfirmForm):
    """A new webhook: where to. The events it is for are boxes beside it."""

    url = StringField(
        "Address",
        filters=[lambda text: text.strip() if text else text],
        validators=[InputRequired("Enter the address that is to be called.")],
    )


def is_on(fields: Mapping[str, str], name: str) -> bool:
    """Whether the switch ``name`` is on in a form that was sent. Raises FormRefused where it says neither."""
    if name not in fields:
        return False
    try:
        return _SWITCH[fields[name]]
    except KeyError:
        raise FormRefused(name, f"Write true or false, not “{fields[name]}”.") from None


def read_form_key(fields: Mapping[str, str]) -> uuid.UUID | None:
    """By what a form that was sent is told from the next one; None where it has no key. Raises BadRequest."""
    if not fields.get("form_key"):
        return None
    try:
        return uuid.UUID(fields["form_key"])
    except ValueError:
        raise BadRequest("The form_key is not a UUID.") from None
