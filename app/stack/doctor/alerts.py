"""The way of an alert: rule → Alertmanager → on-call service → a message in somebody's inbox."""

import secrets
import smtplib
import time
from typing import Final

from app.core.mailer import MailDelivery, plain_mail
from app.core.ports import LOOPBACK
from app.stack.doctor.asking import NoAnswerError, ask_json, bearer
from app.stack.doctor.counters import own_samples
from app.stack.doctor.errand import PATIENCE_SECONDS, PAUSE_SECONDS
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Check, Finding, Scene
from app.stack.doctor.running import log_of, restart, start_again, unanswered
from app.stack.mode import Mode
from app.stack.render import smarthost

WATCHDOG: Final = "Watchdog"
"""The alert that always fires (prometheus/rules/meta.yml)."""

RECENT: Final = "10m"
_SMTP_SECONDS: Final = 5.0
OWN_INBOX: Final = ""
"""Stands for the inbox of the stack where a server is named."""


def alert_checks() -> tuple[Check, ...]:
    """In the order of the way."""
    return (Check("watchdog", "alerts", watchdog), Check("inbox", "alerts", inbox), Check("messages", "alerts", messages))


def watchdog(scene: Scene) -> list[Finding]:
    """The alert that always fires is in Prometheus, in Alertmanager, and came to the on-call service lately."""
    try:
        alerts = ask_json(f"{scene.stack.url('prometheus')}/api/v1/alerts")["data"]["alerts"]
    except NoAnswerError as error:
        return unanswered(scene, "prometheus", "No alert can come: Prometheus does not answer.", error)
    if not any(alert["labels"].get("alertname") == WATCHDOG and alert["state"] == "firing" for alert in alerts):
        return problem(
            "The watchdog does not fire in Prometheus, so no other alert can be trusted to.",
            "Its rule is missing (rules/ was not read), or Prometheus started a moment ago.",
            f"Run it again in a minute; then `make up`, and {log_of(scene, 'prometheus')}",
        )
    try:
        known = ask_json(f"{scene.stack.url('alertmanager')}/api/v2/alerts?filter=alertname%3D{WATCHDOG}")
    except NoAnswerError as error:
        return unanswered(scene, "alertmanager", "Alerts end in Prometheus: Alertmanager does not answer.", error)
    if not known:
        return problem(
            "The watchdog fires in Prometheus and Alertmanager does not have it.",
            "Prometheus sends its alerts elsewhere (targets/alertmanager.yml), or Alertmanager was just restarted.",
            "Run it again in a minute; `make up` writes the address again.",
        )
    return _arrives(scene)


def _arrives(scene: Scene) -> list[Finding]:
    """Whether it comes to the on-call service."""
    try:
        ask_json(f"{scene.stack.url('oncall')}/api/duty", headers=bearer(scene.stack.secret("ONCALL_TOKEN")))
    except NoAnswerError as error:
        if error.status == 401:
            return problem(
                "The on-call service refuses ONCALL_TOKEN, so Alertmanager can't tell it of alerts.",
                "The token in .env changed after it was started.",
                "`make up` hands the present one to both.",
            )
        if error.status:
            return problem(
                "The on-call service can't work.", f"It answered {error.status}: mostly its database is away.", log_of(scene, "oncall")
            )
        return unanswered(scene, "oncall", "Nobody is called: the on-call service does not answer.", error)
    limit = scene.stack.settings.oncall_watchdog_seconds
    age = max(own_samples(scene, "oncall", "oncall_watchdog_age_seconds").values(), default=0.0)
    if limit and age > limit:
        return problem(
            f"The watchdog has not come to the on-call service for {age:.0f} s.",
            "Alertmanager has it and can't pass it on: a wrong address, or a token that is refused.",
            f"{log_of(scene, 'alertmanager')} says which; `make up` writes both again.",
        )
    return ok(f"The watchdog goes from Prometheus through Alertmanager to the on-call service; it came {age:.0f} s ago.")


def inbox(scene: Scene) -> list[Finding]:
    """The mail server takes a mail; where it is the stack's own inbox, the mail is read there."""
    settings = scene.stack.settings
    host, _, port = smarthost(settings, OWN_INBOX).rpartition(":")
    if host:
        return _elsewhere(scene, host, int(port))
    if scene.mode is Mode.COMPOSE:
        return _readable(scene) or ok("The inbox answers. No mail was sent: only containers reach its SMTP port.")
    subject = f"nobet doctor {secrets.token_hex(4)}"
    reached = settings.model_copy(update={"smtp_server": LOOPBACK, "smtp_port": scene.stack.port("inbox_smtp"), "smtp_username": ""})
    try:
        MailDelivery(reached).send(plain_mail(reached, settings.alert_email_to, subject, "Sent by nobet doctor."), _SMTP_SECONDS)
    except ConnectionRefusedError:
        return problem("Mails about alerts go nowhere.", "Nothing listens at the inbox's SMTP port.", start_again(scene, "inbox"))
    except (smtplib.SMTPException, OSError) as error:
        return problem("The inbox takes no mail.", f"It hangs or refuses: {error}", restart(scene, "inbox"))
    return _read(scene, subject)


def messages(scene: Scene) -> list[Finding]:
    """What could not be sent lately, by channel."""
    url = f"{scene.stack.url('prometheus')}/api/v1/query?query="
    failed = {
        "channel": f'sum by (channel) (increase(oncall_notifications_total{{outcome="failed"}}[{RECENT}])) > 0.5',
        "integration": f"sum by (integration) (increase(alertmanager_notifications_failed_total[{RECENT}])) > 0.5",
    }
    found: list[Finding] = []
    for label, query in failed.items():
        try:
            series = ask_json(url + query.replace("+", "%2B"))["data"]["result"]
        except NoAnswerError as error:
            return unanswered(scene, "prometheus", "Whether messages fail can't be told: Prometheus does not answer.", error)
        who = "The on-call service" if label == "channel" else "Alertmanager"
        component = "oncall" if label == "channel" else "alertmanager"
        for entry in series:
            count, way = float(entry["value"][1]), entry["metric"].get(label, "?")
            text = f"{who} could not send {count:.0f} messages by {way} in {RECENT}; it tries again."
            found += note(text, f"{log_of(scene, component)} says why.")
    return found or ok(f"No message failed in the last {RECENT}.")


def _elsewhere(scene: Scene, host: str, port: int) -> list[Finding]:
    """A mail server that somebody chose: greeted and signed in to; no mail is sent."""
    settings = scene.stack.settings
    try:
        with smtplib.SMTP(host, port, timeout=_SMTP_SECONDS) as server:
            if settings.smtp_username:
                server.starttls()
                server.login(settings.smtp_username, scene.stack.secret("SMTP_PASSWORD"))
            server.noop()
    except smtplib.SMTPAuthenticationError:
        return problem(
            f"The mail server {host} refuses the sign-in.",
            "SMTP_USERNAME or SMTP_PASSWORD is wrong.",
            "Correct them in .env, then `make up`.",
        )
    except (smtplib.SMTPException, OSError) as error:
        return problem(
            f"The mail server {host}:{port} takes no mail.",
            f"{type(error).__name__}: {str(error)[:150]}",
            "Look at SMTP_SERVER and SMTP_PORT in .env, and whether this machine may connect there.",
        )
    return ok(f"The mail server {host} answers{' and takes the sign-in' if settings.smtp_username else ''}. No mail was sent.")


def _readable(scene: Scene) -> list[Finding]:
    try:
        ask_json(f"{scene.stack.url('inbox')}/api/v1/info")
    except NoAnswerError as error:
        return unanswered(scene, "inbox", "Mails about alerts go nowhere: the inbox does not answer.", error)
    return []


def _read(scene: Scene, subject: str) -> list[Finding]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            mails = ask_json(f"{scene.stack.url('inbox')}/email")
        except NoAnswerError as error:
            return unanswered(scene, "inbox", "The inbox takes mails and shows none.", error)
        if any(mail.get("subject") == subject for mail in mails):
            return ok("A mail was sent to the inbox and read there.")
        if time.monotonic() > deadline:
            return problem("The inbox took a mail and does not show it.", "Its folder is full or not writable.", log_of(scene, "inbox"))
        time.sleep(PAUSE_SECONDS)
