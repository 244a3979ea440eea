"""Panels of the dashboard Workflow analysis about the rest of the product: tracked events, chat, feed, sign-in."""

from typing import Final

from grafana.generator import shared as s
from grafana.generator.links import limit
from grafana.generator.pieces import Column, numbers_of

_R: Final = "[$__rate_interval]"


def _per_minute(counter: str, by: str) -> str:
    return f"60 * sum by ({by}) (rate({counter}{{{s.SELECT}}}{_R}))"


def product() -> list[s.Panel]:
    """What people do: tracked events, feed, chat, comments, pictures."""
    events = numbers_of(
        "Tracked events",
        "What people did in the time range shown, and who noticed it: the backend, the web page or the app. Count one source only.",
        {"event_type": "Event", "source": "Noticed by"},
        (
            Column("Times", "none", f"sum by (event_type, source) (increase(tracked_events_total{{{s.SELECT}}}[$__range])) > 0", 0),
            Column("Per hour", "none", f"3600 * sum by (event_type, source) (rate(tracked_events_total{{{s.SELECT}}}[$__range])) > 0", 1),
        ),
        sort="Times",
        empty="Nothing tracked",
    )
    feed = s.series(
        "Feed",
        "Reads of the feed per minute. A failure is the first screen that stays empty: the worst for a visitor.",
        "opm",
        s.query(_per_minute("feed_loads_total", "outcome"), "{{outcome}}"),
    ).data_links([s.logs_link("Failures", 'event:"feed.failed"')])
    chat = s.series(
        "Chat",
        "Messages per minute: received from a sender, sent to a reader, confirmed by the reader.",
        "opm",
        s.query(_per_minute("chat_messages_total", "direction"), "{{direction}}"),
    )
    lost = s.series(
        "Chat trouble",
        "Messages per minute that were not taken, and messages that a reader did not confirm.",
        "opm",
        s.query(_per_minute("chat_messages_refused_total", "reason"), "refused: {{reason}}", "A"),
        s.query(_per_minute("chat_delivery_failures_total", "reason"), "not delivered: {{reason}}", "B"),
    ).data_links([s.logs_link("Records", 'event:("chat.message.refused" OR "chat.message.undelivered")')])
    made = s.series(
        "Comments and pictures",
        "Comments sent, by outcome, and pictures made, by model, per minute.",
        "opm",
        s.query(_per_minute("comments_submitted_total", "outcome"), "comment: {{outcome}}", "A"),
        s.query(_per_minute("images_generated_total", "model"), "picture: {{model}}", "B"),
    )
    outcomes = {"success": "blue", "empty": "light-blue", "failure": "red"}
    directions = {"received": "blue", "sent": "light-blue", "delivered": "purple"}
    return [events.span(12).height(8), s.stacked(s.colours(feed, outcomes)), s.colours(chat, directions), lost, made, _kept()]


def _kept() -> s.Panel:
    """The way of tracked events into their stores."""
    return s.series(
        "Tracked events on their way",
        "Tracked events per minute that reached a store, and those that never will. Refused ones were no declared event.",
        "opm",
        s.query(_per_minute("tracked_events_stored_total", "store"), "stored: {{store}}", "A"),
        s.query(f"60 * sum(rate(tracked_events_dropped_total{{{s.SELECT}}}{_R}))", "dropped", "B"),
        s.query(f"60 * sum(rate(tracked_events_refused_total{{{s.SELECT}}}{_R}))", "refused", "C"),
    )


def security() -> list[s.Panel]:
    """Who signs in, and whose token is refused."""
    five = "of five minutes: the unit of the alert"
    logins = s.series(
        "Logins",
        f"Logins {five}, by outcome; limited are those after too many failures. "
        f"Line: a ticket at {limit('ALERT_FAILED_LOGINS'):g} failures in five minutes.",
        "none",
        s.query(f"300 * sum by (outcome) (rate(logins_total{{{s.SELECT}}}{_R}))", "{{outcome}}"),
    ).data_links([s.logs_link("Failed logins", 'event:"user_login" AND outcome:failure')])
    tokens = s.series(
        "Refused tokens",
        f"Tokens {five}, by why they were refused. Line: a ticket at {limit('ALERT_TOKEN_ERRORS'):g} in five minutes.",
        "none",
        s.query(f"300 * sum by (reason) (rate(auth_token_errors_total{{{s.SELECT}}}{_R}))", "{{reason}}"),
    ).data_links([s.logs_link("Records", 'event:("token.expired" OR "token.invalid" OR "token.missing")')])
    limited = s.series(
        "Rate limits",
        "Requests per minute that were counted against their caller's limit, by outcome.",
        "opm",
        s.query(_per_minute("rate_limit_checks_total", "outcome"), "{{outcome}}"),
    )
    outcomes = {"success": "blue", "failure": "orange", "limited": "red"}
    return [
        s.lines(s.colours(logins, outcomes), (limit("ALERT_FAILED_LOGINS"), s.NEAR)).span(8),
        s.lines(tokens, (limit("ALERT_TOKEN_ERRORS"), s.NEAR)).span(8),
        s.colours(limited, {"allowed": "blue", "refused": "orange", "error": "red"}).span(8),
    ]
