"""One mail by SMTP, with STARTTLS wherever one signs in, bounded in time whatever the server does."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final

from app.core.config import Settings

TIMEOUT_SECONDS: Final = 10.0
"""Most time that the server may be silent."""


class MailDelivery:
    """One delivery. It blocks; another thread may end it."""

    def __init__(self, settings: Settings) -> None:
        self._settings: Final = settings
        self._sockets: Final[list[socket.socket]] = []

    def send(self, mail: EmailMessage, silence_seconds: float = TIMEOUT_SECONDS) -> None:
        """Hand the mail to SMTP_SERVER. Raises smtplib.SMTPException or OSError when it was not taken."""
        settings = self._settings
        with _Client(self._sockets, settings.smtp_server, settings.smtp_port, timeout=silence_seconds) as server:
            if settings.smtp_username:
                server.starttls(context=ssl.create_default_context())
                server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            server.send_message(mail)

    def abort(self) -> None:
        """End it: a server that says a letter every now and then could hold its thread for ever."""
        for held in self._sockets:
            try:
                held.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def plain_mail(settings: Settings, to: str, subject: str, text: str) -> EmailMessage:
    """A mail from ALERT_EMAIL_FROM that no machine answers."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject.split())
    mail["From"] = settings.alert_email_from
    mail["To"] = to
    mail["Date"] = formatdate(localtime=False)
    mail["Message-ID"] = make_msgid(domain=settings.alert_email_from.rpartition("@")[2] or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text)
    return mail


class _Client(smtplib.SMTP):
    """Keeps its socket where somebody else finds it, from before the server's first word."""

    def __init__(self, sockets: list[socket.socket], host: str, port: int, timeout: float) -> None:
        self._kept = sockets
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        made = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        self._kept.append(made)
        return made
