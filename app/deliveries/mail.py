"""Writes emails and hands them to the SMTP server."""

import smtplib
import ssl
from datetime import UTC, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

from app.config import Settings, SmtpServer
from app.deliveries.webhook import TIMEOUT_SECONDS, SendResult, in_one_line
from app.identity import password_reset
from app.imports.reports import progress, summary
from app.imports.reports.progress import ImportProgress
from app.queries.deliveries import webhook_endpoints
from app.queries.deliveries.outbox import PASSWORD_RESET_EVENT, Claimed
from app.statuses import ImportStatus, SwitchedOff

_ENDINGS = {
    ImportStatus.COMPLETED: "completed",
    ImportStatus.FAILED: "finished with failed rows",
    ImportStatus.TERMINATED: "terminated",
}
_WHY_OFF = {
    SwitchedOff.GONE: "It answered 410 Gone, which means that it wants no more deliveries.",
    SwitchedOff.FAILING: "Every delivery to it has failed for about a day.",
    SwitchedOff.SELLER: "It was switched off on its page.",
}


def write(one: Claimed, settings: Settings) -> EmailMessage:
    """The email for a message of the outbox, written from the present state.

    Raises LinkExpired when it would bring a link that has expired.
    """
    if one.import_public_id is not None:
        shown = progress.get(one.key.seller_id, one.import_public_id)
        subject, text = _about_import(shown, settings)
    elif one.event == PASSWORD_RESET_EVENT:
        subject, text = _about_password(one, settings)
    else:
        assert one.endpoint is not None
        subject, text = _about_endpoint(one, settings)
    mail = EmailMessage()
    # A file's name may hold encoded words (RFC 2047). Pythons without the fix of CVE-2024-6923 decode those and write a
    # line break in them into the header, where another header begins.
    mail["Subject"] = subject.replace("=?", "= ?")
    mail["From"] = Address("Sluice", addr_spec=settings.mail_from)
    mail["To"] = Address(addr_spec=one.email)
    mail["Date"] = format_datetime(one.created_at)
    # The same in each attempt, so that a duplicate is recognised.
    mail["Message-ID"] = f"<{one.public_id}@{urlsplit(settings.public_url).hostname}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


def _about_import(one: ImportProgress, settings: Settings) -> tuple[str, str]:
    return (
        f"{one.name}: {one.noun} {_ENDINGS[one.status]}",
        f"""\
{one.name}

{summary.describe(one)}

{settings.public_url}/imports/{one.public_id}

You’re receiving this because you turned on import emails. Change this at
{settings.public_url}/settings/notifications
""",
    )


def _about_password(one: Claimed, settings: Settings) -> tuple[str, str]:
    secret = password_reset.make_link_secret(one.key.seller_id, one.created_at)
    expires_at = one.created_at.astimezone(UTC) + timedelta(seconds=password_reset.VALID_SECONDS)
    return (
        "Set a new password for Sluice",
        f"""\
Someone, probably you, asked for a new password for {one.email}. Set it at

{settings.public_url}/password/reset?token={secret}

The link works once, until {expires_at:%H:%M} UTC.

If it wasn’t you, ignore this email: your password stays as it is.
""",
    )


def _about_endpoint(one: Claimed, settings: Settings) -> tuple[str, str]:
    assert one.endpoint is not None
    endpoint = webhook_endpoints.get(one.endpoint)
    why = _WHY_OFF[SwitchedOff(endpoint.switched_off_because or SwitchedOff.FAILING)]
    return (
        "A webhook was switched off",
        f"""\
Your webhook to {endpoint.url} was switched off.

{why} See its responses and switch it back on at

{settings.public_url}/settings/webhooks/{endpoint.public_id}

Pending deliveries will be sent when you switch it back on. Events in the meantime won’t be.
""",
    )


def send(mail: EmailMessage, server: SmtpServer) -> SendResult:
    """Hand ``mail`` to ``server``. Errors are part of the result."""
    try:
        with _open(server) as session:
            if server.user:
                session.login(server.user, server.password)
            session.send_message(mail)
    except smtplib.SMTPRecipientsRefused as refused:
        code, words = next(iter(refused.recipients.values()))
        return SendResult(False, code, "The mail server refused the address.", in_one_line(words), is_final=code >= 500)
    except smtplib.SMTPResponseException as error:
        return SendResult(False, error.smtp_code, "The mail server refused the email.", in_one_line(error.smtp_error))
    except smtplib.SMTPNotSupportedError:
        return SendResult(False, None, "The mail server does not offer what SMTP_URL asks for.")
    except (OSError, smtplib.SMTPException):
        return SendResult(False, None, "The mail server could not be reached.")
    return SendResult(True, 250, "Handed to the mail server.")


def _open(server: SmtpServer) -> smtplib.SMTP:
    if server.is_tls:
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=context)
    session = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    if server.must_start_tls:
        try:
            session.starttls(context=ssl.create_default_context())
        except BaseException:
            session.close()
            raise
    return session
