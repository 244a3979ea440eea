"""`nobet oncall …`: check the policy, see who is on call and what is open, acknowledge."""

import argparse
import getpass
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from app.core.config import ConfigError, Settings, load_settings
from app.core.console import inert
from app.core.ports import local_url
from app.oncall.maintenance import windows_at
from app.oncall.messages import duration
from app.oncall.policy import Policy
from app.oncall.rota import on_duty, targets
from app.oncall.service import policy_of

_NEEDS = {
    "slack": ("slack_webhook_url", "SLACK_WEBHOOK_URL"),
    "pagerduty": ("pagerduty_key", "PAGERDUTY_KEY"),
    "opsgenie": ("opsgenie_key", "OPSGENIE_KEY"),
    "telegram": ("telegram_bot_token", "TELEGRAM_BOT_TOKEN"),
}
"""Channel → setting without which it refuses, and its name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: done. 1: it could not be done. 2: settings or policy can't be used."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        policy = policy_of(settings)
    except ConfigError as error:
        print(inert(error), file=sys.stderr)  # noqa: T201
        return 2
    if options.what == "check":
        return _check(settings, policy)
    try:
        lines = {"who": _who, "list": _list, "ack": _acknowledge}[options.what](settings, options)
    except httpx.HTTPStatusError as error:
        return _fail(error.response.json().get("detail", f"The on-call service answered {error.response.status_code}."))
    except httpx.HTTPError:
        return _fail("The on-call service does not answer. `nobet status` says what is wrong, `nobet up oncall` starts it.")
    print("\n".join(lines))  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nobet oncall", description="Who is called, and what about.")
    steps = parser.add_subparsers(dest="what", required=True)
    steps.add_parser("check", help="read the policy and say what is wrong with it, and who would be called now")
    steps.add_parser("who", help="who is on call now")
    listing = steps.add_parser("list", help="open incidents")
    listing.add_argument("--all", action="store_true", help="earlier ones too")
    acknowledge = steps.add_parser("ack", help="acknowledge an incident: nobody else is called")
    acknowledge.add_argument("ident", metavar="ID", help="its id, or the beginning of it")
    acknowledge.add_argument("--as", dest="who", default=getpass.getuser(), help="your name (default: %(default)s)")
    return parser


def _check(settings: Settings, policy: Policy) -> int:
    """Everything that can be known without sending a message."""
    now = time.time()
    print(f"{settings.oncall_policy or 'The built-in policy'} can be used.")  # noqa: T201
    unset = set()
    for name, escalation in policy.escalations.items():
        print(f"\n{name}")  # noqa: T201
        last, again = len(escalation.levels), escalation.rounds > 1
        for number, level in enumerate(escalation.levels, start=1):
            reached = [f"{target.person or 'contact'} by {target.contact.partition(':')[0]}" for target in targets(policy, level, now)]
            then = f"level {number + 1} after {duration(level.wait)}" if number < last else "nobody else"
            if number == last and again:
                then = f"level 1 again after {duration(level.wait + escalation.repeat)}, {escalation.rounds} rounds at most"
            print(f"  level {number}: {', '.join(reached)}; then {then}")  # noqa: T201
            contacts = [contact for target in targets(policy, level, now) for contact in (target.contact, *target.others)]
            channels = {contact.partition(":")[0] for contact in contacts if contact.partition(":")[0] in _NEEDS}
            unset |= {_NEEDS[channel][1] for channel in channels if not getattr(settings, _NEEDS[channel][0]).get_secret_value()}
    for window in policy.maintenance:
        labels = ", ".join(f"{name}={text}" for name, text in window.match.items())
        print(f"\nmaintenance ({window.reason}): pages about {labels} wait")  # noqa: T201
    for running in windows_at(policy, now):
        print(f"  in force now: {running.reason}, until {_moment(running.until)}")  # noqa: T201
    if unset:
        print(f"\nNot set, so these channels will refuse: {', '.join(sorted(unset))}.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _who(settings: Settings, _: argparse.Namespace) -> list[str]:
    policy, now = policy_of(settings), time.time()
    turns = [(name, on_duty(rota, now)) for name, rota in policy.rotas.items()]
    lines = [f"{name}: {policy.people[turn.person].name} until {_moment(turn.until)}" for name, turn in turns]
    return lines or ["There is no rota: pages go to the contacts of the policy. Set ONCALL_POLICY to a policy with rotas."]


def _list(settings: Settings, options: argparse.Namespace) -> list[str]:
    found: list[dict[str, Any]] = _ask(settings, "GET", f"/api/incidents?all={str(options.all).lower()}")
    lines = [
        f"{incident['id'][:8]}  {incident['severity']:<8}  {incident['state']:<12}  {inert(incident['alertname'])} "
        f"on {inert(incident['service'] or 'unknown service')}, since {_moment(incident['opened_at'])}"
        + (f", taken by {inert(incident['acknowledged_by'])}" if incident["acknowledged_by"] else "")
        for incident in found
    ]
    return lines or ["Nothing is open. All quiet."]


def _acknowledge(settings: Settings, options: argparse.Namespace) -> list[str]:
    holder = _ask(settings, "POST", f"/api/incidents/{quote(options.ident, safe='')}/acknowledge", {"who": options.who})["acknowledged_by"]
    return ["You have it. Nobody else is called." if holder == options.who else f"{inert(holder)} has it already."]


def _ask(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    token = settings.oncall_token.get_secret_value()
    address = local_url("oncall", settings.stack_port_offset)
    answer = httpx.request(method, f"{address}{path}", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10, trust_env=False)
    return answer.raise_for_status().json()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _fail(sentence: str) -> int:
    print(inert(sentence), file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
