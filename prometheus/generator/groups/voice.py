"""Voice calls and business tasks: how long people wait for an answer, which stage makes them wait, and what is not done for them."""

from typing import Final

from prometheus.generator.model import Alert, Group, Record

_FAILED: Final = 'outcome=~"failure|timeout|unreachable"'
"""A refused task is the business saying no; it counts as a failed task, not as a failing stage."""

_STAGE_P95: Final = "service_stage:voice_stage_duration_ms:p95_rate5m"

_BY_STAGE: Final = (
    f"{{{{ range $place, $stage := printf \"{_STAGE_P95}{{service='%s',env='%s'}}\" $labels.service $labels.env | query | sortByLabel "
    '"stage" }}{{ if $place }}, {{ end }}{{ $stage.Labels.stage }} {{ $stage.Value | printf "%.0f" }} ms{{ end }}'
)
"""`asr 190 ms, llm 1475 ms, tts 95 ms`, in the words of the alert's own moment."""


def _stage(stage: str, metric: str) -> str:
    quantile = f"histogram_quantile(0.95, sum by (service, env, le) (rate({metric}_bucket[<5m>])))"
    return f'label_replace({quantile}, "stage", "{stage}", "", "")'


_STEPS: Final = (
    "Which stage? The mail names them with their times; Performance Analysis shows since when.",
    "An exemplar of that panel, or `event:call.turn_completed` with a large `duration_ms`: its trace shows the long span.",
    "The voice service's span below it is short: network, connection pool, or CPU between the two (EventLoopLagHigh, HighCpuUsage).",
    "It is long: the provider's status, a new model, longer prompts, more calls? Switch to a smaller model or another provider.",
)

_TASK_MEANS: Final = "People ask for something in a call and don't get it: no table, no cancellation, no call back."

_TASK_STEPS: Final = (
    "Workflow Analysis: which task, since when, all of them or a share?",
    "`event:call.task_failed` in the logs, by `task`: `reason` says why; `call_sid` and `trace_id` lead to the whole call.",
    "`outcome:refused` is the business saying no (fully booked): tell its owner.",
    "Any other outcome is technical: the service that executes the task is slow, failing or away.",
)

VOICE: Final = Group(
    "voice",
    (
        Record(
            "average_call_duration_seconds",
            """
sum by (service, env) (rate(call_duration_seconds_sum[<1h>]))
/ (sum by (service, env) (rate(call_duration_seconds_count[<1h>])) > 0)
""",
        ),
        Record("service:end_to_end_turn_duration_ms_count:rate5m", "sum by (service, env) (rate(end_to_end_turn_duration_ms_count[<5m>]))"),
        Record(
            "service:end_to_end_turn_duration_ms:p95_rate5m",
            "histogram_quantile(0.95, sum by (service, env, le) (rate(end_to_end_turn_duration_ms_bucket[<5m>])))",
        ),
        Record(
            _STAGE_P95,
            "\nor\n".join(
                (
                    _stage("asr", "asr_processing_duration_ms"),
                    _stage("llm", "llm_ttft_duration_ms"),
                    _stage("tts", "tts_processing_duration_ms"),
                )
            ),
        ),
        Record("service_stage:voice_stage_requests:rate5m", "sum by (service, env, stage) (rate(voice_stage_requests_total[<5m>]))"),
        Record(
            "service_stage:voice_stage_failures:ratio_rate5m",
            f"""
sum by (service, env, stage) (rate(voice_stage_requests_total{{{_FAILED}}}[<5m>]))
/ (service_stage:voice_stage_requests:rate5m > 0)
""",
        ),
        Record("service_task:tasks_executed:rate5m", "sum by (service, env, task) (rate(tasks_executed_total[<5m>]))"),
        Record(
            "service_task:tasks_failed:ratio_rate5m",
            """
sum by (service, env, task) (rate(tasks_executed_total{status="failure"}[<5m>]))
/ (service_task:tasks_executed:rate5m > 0)
""",
        ),
        Record(
            "service:tasks_failed:ratio_rate5m",
            """
sum by (service, env) (rate(tasks_executed_total{status="failure"}[<5m>]))
/ (sum by (service, env) (service_task:tasks_executed:rate5m) > 0)
""",
        ),
        Alert(
            "HighTurnLatency",
            "warning",
            """
service:end_to_end_turn_duration_ms:p95_rate5m > <ALERT_TURN_MS>
and service:end_to_end_turn_duration_ms_count:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="Callers wait too long for an answer.",
            description='95 % of the turns take up to {{ $value | printf "%.0f" }} ms until the first sound of the answer; the limit is '
            f"<ALERT_TURN_MS> ms. 95 % by stage: {_BY_STAGE}.",
            means="Silence on the line: people talk into it, repeat themselves, hang up.",
            steps=_STEPS,
            look=_STAGE_P95,
        ),
        Alert(
            "VoiceStageSlow",
            "warning",
            f"""
(
  {_STAGE_P95}{{stage="asr"}} > <ALERT_ASR_MS>
  or {_STAGE_P95}{{stage="llm"}} > <ALERT_LLM_FIRST_TOKEN_MS>
  or {_STAGE_P95}{{stage="tts"}} > <ALERT_TTS_MS>
)
and on (service, env) service:end_to_end_turn_duration_ms_count:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="A stage of the voice calls uses more than its share of a turn.",
            description='95 % of the requests to {{ $labels.stage }} take up to {{ $value | printf "%.0f" }} ms; its share of a turn is '
            '{{ if eq $labels.stage "asr" }}<ALERT_ASR_MS>{{ else if eq $labels.stage "llm" }}<ALERT_LLM_FIRST_TOKEN_MS>{{ else }}'
            "<ALERT_TTS_MS>{{ end }} ms.",
            means="The turn as a whole is still quick enough, but this stage is on its way out of its budget.",
            steps=_STEPS,
            look=_STAGE_P95,
        ),
        Alert(
            "VoiceStageFailing",
            "warning",
            """
service_stage:voice_stage_failures:ratio_rate5m{stage!="task"} > <ALERT_STAGE_FAILURE_RATE>
and service_stage:voice_stage_requests:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="A stage of the voice calls fails.",
            description="{{ $value | humanizePercentage }} of the requests to {{ $labels.stage }} fail; the limit is "
            "<percent ALERT_STAGE_FAILURE_RATE> %.",
            means="Turns end with an error instead of an answer. Failures of tasks have an alert of their own.",
            steps=(
                "`event:call.stage_failed` in the logs: `stage`, `outcome` and `error_code` say which and how.",
                "`timeout`: the stage is too slow; see HighTurnLatency. `unreachable`: is the voice service running (`make status`)?",
                "`circuit_open` as `error_code`: it failed so often that it is left alone for a while; the errors before say why.",
                "`failure`: the provider's own code. Its status page, its quota, its key.",
            ),
            look="service_stage:voice_stage_failures:ratio_rate5m",
        ),
        Alert(
            "HighTaskFailureRate",
            "warning",
            """
service_task:tasks_failed:ratio_rate5m > <ALERT_TASK_FAILURE_RATE>
and service_task:tasks_executed:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="A business task fails too often.",
            description="{{ $value | humanizePercentage }} of the tasks {{ $labels.task }} fail; the limit is "
            "<percent ALERT_TASK_FAILURE_RATE> %.",
            means=_TASK_MEANS,
            board="nobet-workflow-analysis",
            steps=_TASK_STEPS,
            look="service_task:tasks_failed:ratio_rate5m",
        ),
        Alert(
            "HighTotalTaskFailureRate",
            "warning",
            """
service:tasks_failed:ratio_rate5m > <ALERT_TASK_FAILURE_RATE>
and sum by (service, env) (service_task:tasks_executed:rate5m) > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="Business tasks fail too often.",
            description="{{ $value | humanizePercentage }} of all tasks fail; the limit is <percent ALERT_TASK_FAILURE_RATE> %.",
            means=_TASK_MEANS,
            board="nobet-workflow-analysis",
            steps=_TASK_STEPS,
            look="service_task:tasks_failed:ratio_rate5m",
        ),
    ),
    board="nobet-performance-analysis",
)
