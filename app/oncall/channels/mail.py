"""E-mail by SMTP, with STARTTLS wherever one signs in."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from app.core.config import Settings
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
        await asyncio.to_thread(self._deliver, mail_for(address, message, self._settings))

    def _deliver(self, mail: EmailMessage) -> None:
        settings = self._settings
        try:
            with smtplib.SMTP(settings.smtp_server, settings.smtp_port, timeout=TIMEOUT_SECONDS) as server:
                if settings.smtp_username:
                    server.starttls(context=ssl.create_default_context())
                    server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
                server.send_message(mail)
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
    mail = EmailMessage()
    mail["Subject"] = " ".join(message.subject.split())
    mail["From"] = settings.alert_email_from
    mail["To"] = address
    mail["Date"] = formatdate(localtime=False)
    domain = settings.alert_email_from.rpartition("@")[2] or "localhost"
    mail["Message-ID"] = make_msgid(domain=domain)
    mail["References"] = f"<{message.dedup}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(TEMPLATES.get_template("mail.html").render(message=message, lines_of=lines_of), subtype="html")
    return mail


def _failure(what: str, code: int) -> Exception:
    text = f"the mail server {what} (code {code})"
    return RefusedError(text) if code >= _PERMANENT else TryAgainError(text)
