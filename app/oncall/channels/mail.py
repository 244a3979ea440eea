"""E-mail by SMTP, with STARTTLS wherever one signs in."""

import asyncio
import smtplib
from email.message import EmailMessage
from typing import Final

from app.core.config import Settings
from app.core.mailer import MailDelivery, plain_mail
from app.oncall.channels.sender import RefusedError, TryAgainError
from app.oncall.messages import Message, lines_of
from app.oncall.templating import TEMPLATES

TIMEOUT_SECONDS: Final = 10.0
_PERMANENT: Final = 500


class Email:
    """Mails through SMTP_SERVER."""

    digests = True

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings

    async def send(self, address: str, message: Message) -> None:
        """Send a mail; the thread that talks to a silent server ends with its time limit."""
        if "@" not in address or any(sign in address for sign in "\r\n,"):
            raise RefusedError("the contact is no mail address")
        delivery = MailDelivery(self._settings)
        try:
            await asyncio.to_thread(self._deliver, delivery, mail_for(address, message, self._settings))
        except asyncio.CancelledError:
            delivery.abort()
            raise

    def _deliver(self, delivery: MailDelivery, mail: EmailMessage) -> None:
        try:
            delivery.send(mail, TIMEOUT_SECONDS)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _failure("refused the receiver", min(codes, default=_PERMANENT)) from None
        except smtplib.SMTPResponseException as error:
            raise _failure("refused", error.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            raise RefusedError("the mail server offers no STARTTLS or no sign-in") from None
        except (OSError, smtplib.SMTPException) as error:
            raise TryAgainError(f"the mail server is not reachable ({type(error).__name__})") from None


def mail_for(address: str, message: Message, settings: Settings) -> EmailMessage:
    """The mail. Messages about one incident are one thread in a mail reader."""
    mail = plain_mail(settings, address, message.subject, message.text)
    domain = settings.alert_email_from.rpartition("@")[2] or "localhost"
    mail["References"] = f"<{message.dedup}@{domain}>"
    mail.add_alternative(TEMPLATES.get_template("mail.html").render(message=message, lines_of=lines_of), subtype="html")
    return mail


def _failure(what: str, code: int) -> Exception:
    text = f"the mail server {what} (code {code})"
    return RefusedError(text) if code >= _PERMANENT else TryAgainError(text)
