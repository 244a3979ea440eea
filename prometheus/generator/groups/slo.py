"""Service level objectives: what was promised, how much of it is kept, and how quickly the rest is used up.

The events are counted over five minutes; every longer window averages these
counts, numerator and denominator apart, so that a busy hour weighs as much as
it has requests. Time without Prometheus, and time without traffic, is neither
good nor bad.

The windows of days average samples that are five minutes apart: 30 days of
every scrape in every evaluation would cost more than they say. Until the first
of these samples exists, the six-hour window stands in for them.
"""

from typing import Final

from prometheus.generator.model import Alert, Group, Record, parse_duration
from prometheus.generator.slo import Pair, Slo, Tier, load_objectives

OBJECTIVES: Final = load_objectives()

SHORT_WINDOWS: Final = ("30m", "1h", "2h", "6h")
LONG_WINDOWS: Final = ("1d", "3d", OBJECTIVES.window)

_ERROR: Final = "slo:sli_error:ratio_rate"
_BURN: Final = "slo:burn_rate:ratio"
_BUDGET: Final = "on (slo) group_left () (1 - slo:objective:ratio)"


def _average(window: str, source: str = "rate5m") -> str:
    bad, total = (f"avg_over_time(slo:{name}:{source}[<{window}>])" for name in ("events_bad", "events"))
    return f"clamp_min({bad} / ({total} > 0), 0)"


def _burn(window: str) -> Record:
    return Record(f"{_BURN}{window}", f"{_ERROR}{window} / {_BUDGET}")


def _sums(slo: Slo) -> tuple[Record, ...]:
    labels = {"slo": slo.name}
    return (Record("slo:events:rate5m", slo.total, labels), Record("slo:events_bad:rate5m", slo.bad, labels))


def _alert(slo: Slo, tier: Tier) -> Alert:
    chosen = f'{{slo="{slo.name}"}}'

    def both(pair: Pair) -> str:
        long, short = (f"{_BURN}{window}{chosen} > {pair.factor:g}" for window in (pair.long, pair.short))
        return f"({long} and on (service, env) {short})"

    burning = "\nor ".join(both(pair) for pair in tier.pairs)
    enough = f"\nand on (service, env) slo:events_bad:sum{tier.count}{chosen} >= {slo.fewest}" if slo.fewest else ""
    return Alert(
        slo.alert + tier.name,
        tier.severity,
        f"(\n{burning}\n){enough}{_untold(slo, tier)}",
        hold=tier.hold,
        summary=f"The error budget of {slo.title[0].lower()}{slo.title[1:]} is used up too {_SPEED[tier.name]}.",
        description=f"{slo.title}, promised: {slo.objective * 100:g} %. {{{{ $labels.service }}}} uses its error budget "
        f"{{{{ $value | printf `%.1f` }}}} times as quickly as it may.",
        means=f"{slo.meaning} {tier.meaning[0].upper()}{tier.meaning[1:]} are gone, and it goes on. "
        + ("Users are hurt now." if tier.severity == "critical" else "Nobody needs to get up for it."),
        steps=_STEPS[slo.alert],
    )


def _untold(slo: Slo, tier: Tier) -> str:
    """One outage, one page: nothing where another page told of it while the short window was filling."""
    sooner = (*slo.told_by, slo.alert + _FIRST) if tier.name != _FIRST else slo.told_by
    if tier.severity != "critical" or not sooner:
        return ""
    fired = f'ALERTS{{alertname=~"{"|".join(sooner)}", alertstate="firing", severity="critical"}}'
    return f"\nunless on (service, env) max_over_time({fired}[<{tier.pairs[0].short}>])"


_FIRST: Final = "Fast"

_SPEED: Final = {"Fast": "fast", "Slow": "fast for hours", "Ticket": "fast for days"}

_ERROR_STEPS: Final = (
    "Was there a deploy or a configuration change? Roll it back first, look for the cause after.",
    "Which endpoint, since when? Error rate shows it by route; Top errors has the exception and one `request_id`.",
    "`nobet story ID` shows that request: log lines, trace, error event.",
    "A dependency? DependencyDown, PostgresDown and RedisDown say so, and so does `/health/`.",
)

_LATENCY_STEPS: Final = (
    "Which route is slow, since when? The API dashboard has the times by endpoint.",
    "An exemplar of the latency panel opens a slow trace: its longest span names the dependency.",
    "All routes: EventLoopLagHigh, HighCpuUsage, the connection pool.",
    "Compare with the last deploy, and roll it back if it fits.",
)

_STEPS: Final = {
    "ApiUptimeBurn": (
        "ApiDown says when it happens; `event:app.started` in the logs says how often the service was started anew.",
        "Restarts one after another: CrashLooping. Single probes that fail: a full accept queue or a blocked event loop.",
        "Every deploy takes it down for seconds? Start the new workers before the old ones end.",
    ),
    "ApiErrorBudgetBurn": _ERROR_STEPS,
    "ApiErrorLimitBurn": _ERROR_STEPS,
    "ApiLatencyBudgetBurn": _LATENCY_STEPS,
    "ApiLatencyMedianBurn": _LATENCY_STEPS,
    "ApiLatencyHalfSecondBurn": _LATENCY_STEPS,
    "ApiLatencySecondBurn": _LATENCY_STEPS,
    "VoiceTurnLatencyBurn": (
        "Which stage? Performance Analysis has the 95th percentile of each; VoiceStageSlow and VoiceStageFailing name it.",
        "`event:call.turn_completed` with a large `duration_ms`: its trace shows the long span.",
        "The provider's status, a new model, longer prompts, more calls? Switch to a smaller model or another provider.",
    ),
    "LogFreshnessBurn": (
        "Does ElasticsearchDown, ShipperDown, ShipperHeld or LogShippingStalled fire? Go there.",
        "Log pipeline: a backlog that grows is load (429s, slow bulks); one that falls is an outage that is over.",
        "No backlog, and canaries are late all the same: Elasticsearch refreshes or searches slowly; heap, CPU, disk.",
    ),
}

SLO_EVENTS: Final = Group("slo-events", tuple(record for slo in OBJECTIVES.slos for record in _sums(slo)))

SLO_OBJECTIVES: Final = Group(
    "slo-objectives", tuple(Record("slo:objective:ratio", f"vector({slo.objective:g})", {"slo": slo.name}) for slo in OBJECTIVES.slos)
)

SLO_WINDOWS: Final = Group(
    "slo-windows",
    (
        Record(f"{_ERROR}5m", "clamp_min(slo:events_bad:rate5m / (slo:events:rate5m > 0), 0)"),
        *(Record(f"{_ERROR}{window}", _average(window)) for window in SHORT_WINDOWS),
        *(_burn(window) for window in ("5m", *SHORT_WINDOWS)),
        *(
            Record(f"slo:events_bad:sum{window}", f"sum_over_time(slo:events_bad:rate5m[<{window}>]) * <interval seconds>")
            for window in sorted({tier.count for slo in OBJECTIVES.slos for tier in slo.tiers}, key=parse_duration)
        ),
    ),
)

SLO_SAMPLES: Final = Group(
    "slo-samples",
    (
        Record("slo:events:rate5m_sampled", "slo:events:rate5m"),
        Record("slo:events_bad:rate5m_sampled", "slo:events_bad:rate5m"),
    ),
    interval="5m",
)

SLO_LONG: Final = Group(
    "slo-long",
    (
        *(Record(f"{_ERROR}{window}", f"{_average(window, 'rate5m_sampled')}\nor\n{_ERROR}6h") for window in LONG_WINDOWS),
        *(_burn(window) for window in LONG_WINDOWS),
        Record("slo:error_budget_remaining:ratio", f"1 - {_BURN}{OBJECTIVES.window}"),
    ),
    interval="1m",
)

SLO: Final = Group("slo", tuple(_alert(slo, tier) for slo in OBJECTIVES.slos for tier in slo.tiers), board="nobet-slo")
