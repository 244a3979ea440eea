"""The dashboard SLO: what was promised, what was kept, how fast the error budget goes, and where it goes."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.layout import fill
from grafana.generator.links import runbook_url
from grafana.generator.pieces import Column, numbers_of
from prometheus.generator.slo import Objectives, Slo, load_objectives

UID: Final = "nobet-slo"

_SELECT: Final = f'{s.SELECT}, slo=~"$slo"'
_R: Final = "[$__rate_interval]"
_BY: Final = "slo, service"
_LEGEND: Final = "{{slo}} {{service}}"
_FIRST: Final = ("availability", "errors", "latency", "turn-latency", "log-freshness")
"""The objectives on the first screen; the others are limits on the same measurements."""

_FAST: Final = 0.2
"""Seconds; the objective of latency, an edge of HTTP_BUCKETS."""


def slo() -> d.Dashboard:
    """Do we keep what we promised, and how fast does the error budget go?"""
    budget = 'slo:error_budget_remaining:ratio{env=~"$env"}'
    objectives = load_objectives()
    board = s.dashboard(
        UID,
        "SLO",
        "Do we keep what we promised, and how fast does the error budget go? Objectives over 30 days, from prometheus/slo.yml.",
        runbook_url(),
        variables=[
            s.label_variable("service", "Service", f"label_values({budget}, service)", several=True),
            s.label_variable("slo", "Objective", f"label_values({budget}, slo)", several=True),
        ],
    ).time("now-6h", "now")
    return fill(
        board,
        [*_at_a_glance(objectives), _kept()],
        ("Error budget", _budget(objectives)),
        ("Where it goes", _causes(objectives)),
    )


def _at_a_glance(objectives: Objectives) -> list[s.Panel]:
    declared = {slo.name: slo for slo in objectives.slos}
    worst = s.number(
        "Least budget left",
        f"What is left of the error budget that is used up most, over {objectives.window}. Below 0 a promise is broken; -100 %: or worse.",
        "percentunit",
        s.query(f"clamp_min(min(slo:error_budget_remaining:ratio{{{_SELECT}}}), -1)"),
        s.limits(0.25, 0),
        empty="Nothing measured",
    ).decimals(0)
    return [worst, *(_number(declared[name], objectives.window) for name in _FIRST)]


def _number(slo: Slo, window: str) -> s.Panel:
    digits = 1 if slo.objective < 0.999 else 2
    return s.number(
        slo.title,
        f"{slo.meaning} Over {window}, of the worst service; the objective is {slo.objective:.{digits}%}.",
        "percentunit",
        s.query(f'min(1 - slo:sli_error:ratio_rate30d{{{s.SELECT}, slo="{slo.name}"}})'),
        # Orange while less than a quarter of the budget is left, red when it is used up.
        s.limits(1 - 0.75 * slo.budget, slo.objective),
        empty="Nothing measured",
    ).decimals(digits)


def _kept() -> s.Panel:
    one_of_each = f"0 * sum by ({_BY}) (slo:error_budget_remaining:ratio{{{_SELECT}}}) + 1"
    bad, of = (f"sum by ({_BY}) (avg_over_time(slo:{name}:rate5m{{{_SELECT}}}[$__range]))" for name in ("events_bad", "events"))

    def burn(window: str) -> str:
        return f"max by ({_BY}) (slo:burn_rate:ratio{window}{{{_SELECT}}})"

    return numbers_of(
        "Objectives",
        "Each objective: promised, kept over 30 days and in the time range shown (choose a week for the weekly review), budget left, and "
        "burn rates: 1 uses up exactly the whole budget in 30 days.",
        {"slo": "Objective", "service": "Service"},
        (
            Column("Promised", "percentunit", f"max by ({_BY}) (slo:objective:ratio * on (slo) group_right () ({one_of_each}))", 2),
            Column("Kept, 30 days", "percentunit", f"1 - max by ({_BY}) (slo:sli_error:ratio_rate30d{{{_SELECT}}})", 3),
            Column("Kept, time range", "percentunit", f"clamp_max(1 - {bad} / ({of} > 0), 1)", 3),
            Column("Budget left", "percentunit", f"max by ({_BY}) (slo:error_budget_remaining:ratio{{{_SELECT}}})", 1),
            Column("Burn 1 h", "none", burn("1h"), 2),
            Column("Burn 6 h", "none", burn("6h"), 2),
            Column("Burn 3 d", "none", burn("3d"), 2),
        ),
        sort="Burn 1 h",
        empty="Nothing measured",
    )


def _budget(objectives: Objectives) -> list[s.Panel]:
    left = s.series(
        "Budget left",
        "What is left of each error budget; -100 % stands for that and worse. Lines: a quarter, and nothing.",
        "percentunit",
        s.query(f"max by ({_BY}) (clamp_min(slo:error_budget_remaining:ratio{{{_SELECT}}}, -1))", _LEGEND),
        empty="Nothing measured",
    ).min(-1)
    return [s.lines(left.max(1), (0, s.BEYOND), (0.25, s.NEAR)).span(12), *_burning(objectives)]


def _burning(objectives: Objectives) -> list[s.Panel]:
    """The burn rate over each long window that an alert looks at, with its factor as a line."""
    pairs = {pair.long: (pair, tier) for slo in objectives.slos for tier in slo.tiers for pair in tier.pairs}
    panels: list[s.Panel] = []
    for window in ("1h", "6h", "3d"):
        pair, tier = pairs[window]
        what = "a page" if tier.severity == "critical" else "a ticket"
        panel = s.series(
            f"Burn rate over {window}",
            f"How many times faster than allowed the budget goes. Line: {what} at {pair.factor:g}, when the last {pair.short} say so, too.",
            "none",
            s.query(f"max by ({_BY}) (slo:burn_rate:ratio{window}{{{_SELECT}}})", _LEGEND),
            empty="Nothing measured",
        )
        panels.append(s.lines(panel, (pair.factor, s.BEYOND if tier.severity == "critical" else s.NEAR)).span(12))
    return panels


def _causes(objectives: Objectives) -> list[s.Panel]:
    now = s.series(
        "Bad events",
        "Share of the events of the last hour that were bad, by objective. The budget is what may be bad over 30 days.",
        "percentunit",
        s.query(f"max by ({_BY}) (slo:sli_error:ratio_rate1h{{{_SELECT}}})", _LEGEND),
        empty="Nothing measured",
    )
    firing = s.series(
        "Burn alerts",
        "Alerts about objectives that fire.",
        "none",
        s.query(
            f'sum by (alertname) (ALERTS{{{_SELECT}, alertstate="firing"}}) or on () 0 * max(slo:objective:ratio)',
            "{{alertname}}",
        ),
        empty="No Prometheus",
    )
    by = "service, endpoint"
    errors = f"sum by ({by}) (increase(http_requests_errors_total{{{s.SELECT}}}[$__range]))"
    everything = f"sum by ({by}) (increase(http_request_duration_seconds_count{{{s.SELECT}}}[$__range]))"
    fast = f'sum by ({by}) (increase(http_request_duration_seconds_bucket{{{s.SELECT}, le="{_FAST}"}}[$__range]))'
    routes = numbers_of(
        "Bad requests by endpoint",
        f"Requests in the time range shown that failed, and those that took longer than {_FAST * 1000:g} ms: who uses up the budget.",
        {"service": "Service", "endpoint": "Endpoint"},
        (
            Column("Failed", "none", f"({errors} or 0 * {everything}) and {everything} > 0", 0),
            Column("Slow", "none", f"({everything} - {fast}) and {everything} > 0", 0),
            Column("Requests", "none", f"{everything} > 0", 0),
        ),
        sort="Failed",
    )
    return [now, s.stacked(firing), routes]
