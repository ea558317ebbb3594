"""The forms that consist of more than a button, and their common parts."""

from flask import request
from flask_login import current_user
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, PasswordField, StringField
from wtforms.validators import InputRequired, ValidationError

from app.identity import login_throttle, passwords
from app.identity.login_throttle import Purpose


class EmailForm(FlaskForm):
    """The email address of an account."""

    email = StringField("Email address", validators=[InputRequired("Enter your email address.")])


class SignInForm(EmailForm):
    """Email address and password."""

    password = PasswordField("Password", validators=[InputRequired("Enter your password.")])


class ConfirmForm(FlaskForm):
    """The seller's password, before an action that a stolen session must not allow."""

    current_password = PasswordField("Current password", validators=[InputRequired("Enter your current password.")])

    def validate_current_password(self, field: Field) -> None:
        """Raise ValidationError if it is not the seller's password, and TooManyAttempts."""
        address = request.remote_addr or ""
        if not login_throttle.check_password(current_user.email, field.data, address=address, purpose=Purpose.CONFIRM):
            raise ValidationError("That’s not your current password.")


class NewPasswordForm(FlaskForm):
    """A new password, for the account with the email address ``owner``."""

    owner = ""
    new_password = PasswordField("New password", validators=[InputRequired("Enter a new password.")])
    revoke_tokens = BooleanField("Revoke all API tokens")

    def validate_new_password(self, field: Field) -> None:
        """Raise ValidationError for a weak password, saying why."""
        try:
            passwords.check(field.data, email=self.owner)
        except passwords.WeakPassword as weak:
            raise ValidationError(str(weak)) from None


class PasswordForm(ConfirmForm, NewPasswordForm):
    """A new password for the signed-in seller."""

    @property
    def owner(self) -> str:  # type: ignore[override]
        """The seller's email address."""
        return str(current_user.email)


class EndpointForm(ConfirmForm):
    """The URL of a new webhook. Its events are checkboxes beside it."""

    url = StringField(
        "Endpoint URL",
        filters=[lambda text: text.strip() if text else text],
        validators=[InputRequired("Enter your endpoint’s URL.")],
    )
