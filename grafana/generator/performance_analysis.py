"""The dashboard Performance analysis: how long callers wait for an answer, and which stage makes them wait."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d
from grafana_foundation_sdk.builders import heatmap, prometheus
from grafana_foundation_sdk.models import prometheus as pm

from app.core.telemetry.metrics import VOICE_BUCKETS
from grafana.generator import shared as s
from grafana.generator.layout import fill
from grafana.generator.links import limit, runbook_url
from grafana.generator.performance_failures import failures, single_turns

UID: Final = "nobet-performance-analysis"

_R: Final = "[$__rate_interval]"
_TURN: Final = "end_to_end_turn_duration_ms"
_STAGES: Final = {
    "ASR": ("asr_processing_duration_ms", "Speech recognition: from sound to text.", "ALERT_ASR_MS"),
    "LLM": ("llm_ttft_duration_ms", "Language model: until its first token.", "ALERT_LLM_FIRST_TOKEN_MS"),
    "TTS": ("tts_processing_duration_ms", "Speech synthesis: from text to sound.", "ALERT_TTS_MS"),
}
_COLOURS: Final = {"asr": "blue", "llm": "purple", "tts": "light-blue", "ASR": "blue", "LLM": "purple", "TTS": "light-blue"}


def performance_analysis() -> d.Dashboard:
    """How long do callers wait for an answer, and which stage makes them wait?"""
    services = s.label_variable("service", "Service", 'label_values(calls_total{env=~"$env"}, service)', several=True)
    board = s.dashboard(
        UID,
        "Performance analysis",
        "How long do callers wait for an answer, and which stage makes them wait? Speech recognition, language model, speech synthesis.",
        runbook_url(),
        variables=[services],
    )
    return fill(
        board, _at_a_glance(), ("Turns", _turns()), ("Stages", _stages()), ("Failures", failures()), ("Single turns", single_turns())
    )


def _quantile(share: float, metric: str, by: str = "le") -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{{{s.SELECT}}}{_R}))) >= 0"


def _share_under(metric: str, milliseconds: float) -> str:
    if milliseconds not in VOICE_BUCKETS:
        raise ValueError(f"{milliseconds} is no edge of VOICE_BUCKETS")
    fast = f'sum(rate({metric}_bucket{{{s.SELECT}, le="{milliseconds:.1f}"}}{_R}))'
    return f"{fast} / (sum(rate({metric}_count{{{s.SELECT}}}{_R})) > 0)"


def _at_a_glance() -> list[s.Panel]:
    turn = limit("ALERT_TURN_MS")
    stages = [
        s.number(
            f"{name}, 95 %",
            f"{what} 95 % take at most this long. A ticket at {limit(bound):g} ms, its share of a turn.",
            "ms",
            s.query(_quantile(0.95, metric)),
            s.limits(limit(bound) * 0.8, limit(bound)),
            empty="No turns",
        ).decimals(0)
        for name, (metric, what, bound) in _STAGES.items()
    ]
    return [
        s.number(
            "Turns",
            "Turns of calls per second: somebody said something and was answered.",
            "ops",
            s.query(f"sum(rate({_TURN}_count{{{s.SELECT}}}{_R}))"),
            s.no_limits(),
            empty="No turns",
        ),
        s.number(
            "Turn, 95 %",
            f"95 % of the callers hear the answer begin within this time. A ticket at {turn:g} ms.",
            "ms",
            s.query(_quantile(0.95, _TURN)),
            s.limits(turn * 0.8, turn),
            empty="No turns",
        ).decimals(0),
        *stages,
        s.number(
            "Within a second",
            f"Share of the turns whose answer begins within {turn:g} ms.",
            "percentunit",
            s.query(_share_under(_TURN, turn)),
            s.limits(0.95, 0.9),
            empty="No turns",
        ).decimals(1),
    ]


def _percentiles(title: str, shows: str, metric: str, bound: float) -> s.Panel:
    panel = s.series(
        title,
        f"{shows} 50, 95 and 99 % take at most this long. Line: a ticket at {bound:g} ms. A dot is a turn with its trace.",
        "ms",
        s.query(_quantile(0.5, metric), "p50", "A"),
        s.query(_quantile(0.95, metric), "p95", "B", exemplars=True),
        s.query(_quantile(0.99, metric), "p99", "C"),
        empty="No turns",
    ).data_links([s.logs_link("Turns", 'event:"call.turn_completed"')])
    return s.lines(panel, (bound, s.NEAR))


def _turns() -> list[s.Panel]:
    by_stage = s.series(
        "Where the time goes",
        "95 % of each stage, one upon the other: the thickest layer is the place to look at. The same numbers as in the alerts.",
        "ms",
        s.query(f"sum by (stage) (service_stage:voice_stage_duration_ms:p95_rate5m{{{s.SELECT}}}) >= 0", "{{stage}}"),
        empty="No turns",
    )
    spread = (
        heatmap.Panel()
        .title("Distribution of turns")
        .description("How many turns took how long. Two bands mean two kinds of turns, such as a second model or a repeated try.")
        .datasource(s.PROMETHEUS)
        .with_target(_heat(f"sum by (le) (increase({_TURN}_bucket{{{s.SELECT}}}{_R}))"))
        .no_value("No turns")
        .unit("short")
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit("ms"))
        .cell_values(heatmap.CellValues().unit("short"))
        .span(12)
        .height(8)
    )
    shares = s.series(
        "Share within the target",
        "Share of the turns that begin to answer within half a second, a second and two. Line: 95 %.",
        "percentunit",
        s.query(_share_under(_TURN, 500), "500 ms", "A"),
        s.query(_share_under(_TURN, 1000), "1 s", "B"),
        s.query(_share_under(_TURN, 2000), "2 s", "C"),
        empty="No turns",
    ).max(1)
    turn = _percentiles(
        "Time of a turn", "From the end of the caller's speech to the first sound of the answer.", _TURN, limit("ALERT_TURN_MS")
    )
    return [turn, s.stacked(s.colours(by_stage, _COLOURS)), spread, s.lines(shares, (0.95, s.NEAR))]


def _heat(expr: str) -> prometheus.Dataquery:
    return s.query(expr, "{{le}}").format(pm.PromQueryFormat.HEATMAP)


def _stages() -> list[s.Panel]:
    stages = [_percentiles(name, what, metric, limit(bound)) for name, (metric, what, bound) in _STAGES.items()]
    means = {
        name: f"sum(rate({metric}_sum{{{s.SELECT}}}{_R})) / (sum(rate({metric}_count{{{s.SELECT}}}{_R})) > 0)"
        for name, (metric, _, _) in _STAGES.items()
    }
    mean = s.series(
        "Mean by stage",
        "Mean time of each stage. Far below the 95 %: a few turns are slow; close to it: all are.",
        "ms",
        *(s.query(expr, name, ref) for ref, (name, expr) in zip("ABC", means.items(), strict=True)),
        empty="No turns",
    )
    return [*stages, s.stacked(s.colours(mean, _COLOURS))]
