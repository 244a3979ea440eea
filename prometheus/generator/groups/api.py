"""What users of the API notice: errors, slowness, absence."""

from typing import Final

from prometheus.generator.model import SINCE_START, Alert, Group

_JOBS: Final = "app|voice"

API: Final = Group(
    "api",
    (
        Alert(
            "HighErrorRate",
            "critical",
            """
service:http_requests_errors:ratio_rate5m > <ALERT_ERROR_RATE>
and service:http_requests:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="High error rate.",
            description="{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} end in a 5xx; the limit is "
            "<percent ALERT_ERROR_RATE> %.",
            means="Users get errors. 4xx answers do not count; a 5xx or an unhandled exception does.",
            steps=(
                "Was there a deploy or a configuration change? Roll it back first, look for the cause after.",
                "Open the dashboard: which endpoint, since when? One points at its dependency, all at the database, Redis or the host.",
                "Read the errors in Grafana, Explore, Elasticsearch: `level:error`; `error_type` and `error_location` say what and where.",
                "Take one `request_id` from there: `nobet story ID` shows its log lines, trace and error event.",
                "Is a DependencyDown, PostgresDown or RedisDown firing too? Then go there.",
            ),
        ),
        Alert(
            "ErrorRateElevated",
            "warning",
            """
service:http_requests_errors:ratio_rate5m > <ALERT_ERROR_RATE_WARNING>
and service:http_requests:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="10m",
            summary="Error rate above the operating limit.",
            description="{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} end in a 5xx; the operating limit is "
            "<percent ALERT_ERROR_RATE_WARNING> %.",
            means="More requests fail than the operating limit allows, not yet enough to page.",
            steps=(
                "Same look as for HighErrorRate: which endpoint, since when, which exception?",
                "One failing endpoint with little traffic: open a ticket with one `request_id` of it.",
            ),
        ),
        Alert(
            "ResponseTimeCritical",
            "critical",
            """
service_endpoint:http_request_duration_seconds:p95_rate5m > <ALERT_RESPONSE_SECONDS>
and service_endpoint:http_request_duration_seconds_count:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="Responses take far too long.",
            description="95 % of the answers of {{ $labels.endpoint }} in {{ $labels.service }} take up to "
            "{{ $value | humanizeDuration }}; the limit is <ALERT_RESPONSE_SECONDS> s.",
            means="Users wait so long that they give up. Waiting requests also fill the pools and make everything else slow.",
            steps=(
                "Open the dashboard, latency by endpoint: one endpoint or all?",
                "All: database, CPU or event loop. Look at EventLoopLagHigh, HighCpuUsage and the pool panel.",
                "One: click an exemplar dot to see a slow trace; the longest span names the dependency.",
                "Is traffic much higher than usual? Scale `WEB_CONCURRENCY`, or limit at the gateway.",
            ),
        ),
        Alert(
            "SlowResponse",
            "warning",
            """
service_endpoint:http_request_duration_seconds:p95_rate5m > <ALERT_P95_SECONDS>
and service_endpoint:http_request_duration_seconds_count:rate5m > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="5m",
            summary="Slow response times.",
            description="95 % of the answers of {{ $labels.endpoint }} in {{ $labels.service }} take up to "
            "{{ $value | humanizeDuration }}; the limit is <ALERT_P95_SECONDS> s.",
            means="An endpoint is slower than its limit.",
            steps=(
                "Open the dashboard, latency by endpoint, and an exemplar's trace: which span grew?",
                "Slow queries are logged: `event:db.query.slow`.",
                "Compare with the last deploy.",
            ),
        ),
        Alert(
            "ServiceUnavailableResponses",
            "warning",
            """
sum by (service, env) (
  (
    (http_requests_total{status_code="503"} unless http_requests_total{status_code="503"} offset <5m>)
    and on (job, instance) (up offset <5m>)
  )
  or increase(http_requests_total{status_code="503"}[<5m>])
) > <ALERT_UNAVAILABLE_RESPONSES>
""",
            hold="0s",
            summary="The service answers 503.",
            description="{{ $labels.service }} answered {{ $value | printf `%.0f` }} requests with 503; the limit is "
            "<ALERT_UNAVAILABLE_RESPONSES>.",
            means="The service says itself that it cannot serve: a dependency is down, a pool is exhausted, or it is overloaded.",
            steps=(
                "`curl -s 127.0.0.1:8000/health/` names the failing check (with the metrics token it says why).",
                "`status_code:503` in the logs: `error_code` and `reason` say which dependency.",
                "Pool exhausted: `db_connection_failures_total` by reason; long queries block the pool.",
            ),
            look='sum by (service, endpoint) (rate(http_requests_total{status_code="503"}[<5m>]))',
        ),
        Alert(
            "ApiDown",
            "critical",
            f"""
(
  max by (service, env) (max_over_time(probe_success{{job="blackbox-http", service=~"{_JOBS}"}}[<1m>])) == 0
  or
  (
    max by (service, env) (max_over_time(up{{job=~"{_JOBS}"}}[<1m>]))
    unless on (service, env) probe_success{{job="blackbox-http"}}
  ) == 0
)
{SINCE_START.format("3m")}
""",
            hold="ALERT_API_DOWN_MINUTES",
            summary="The service does not answer.",
            description="No probe of {{ $labels.service }} has had an answer; nobody can use it.",
            means="Every probe from outside fails: the process is gone, its port is closed, or it hangs.",
            board="nobet-general-system-health",
            steps=(
                "`make status`: is the process there? Natively `.stack/log/app.log`, with Compose `docker compose logs --tail=100 app`.",
                "It is there and does not answer: `curl -m 5 -i 127.0.0.1:8000/health/live`. A hang is a blocked event loop; restart it.",
                "It is gone: read its last lines. Exit code 137 is memory (HighMemoryUsage); a settings message says what to correct.",
                "`make up` starts what is missing and leaves the rest alone.",
            ),
            look=f'probe_success{{job="blackbox-http", service=~"{_JOBS}"}}',
        ),
        Alert(
            "EndpointDown",
            "critical",
            'max_over_time(probe_success{job="blackbox-http"}[<1m>]) == 0',
            hold="ALERT_DOWN_MINUTES",
            summary="A probed endpoint is down.",
            description="The probe {{ $labels.probe }} of {{ $labels.service }} fails: {{ $labels.instance }}.",
            means="One address that must answer has not answered well for minutes. When all probes of a service fail, ApiDown says so.",
            board="nobet-general-system-health",
            steps=(
                "`curl -i` the address in the mail. 503 from `/health/` names the failing dependency.",
                "No answer: is the component running (`make status`)?",
                "It answers here: look at the blackbox exporter and at name resolution.",
            ),
            look='probe_success{job="blackbox-http"}',
        ),
        Alert(
            "ApiTrafficVanished",
            "warning",
            """
service:http_requests:rate5m{service="app"} == 0
and on (service, env) avg_over_time(service:http_requests:rate5m[<1h>] offset <7d>) > <ALERT_MIN_REQUESTS_PER_SECOND>
""",
            hold="10m",
            summary="Nobody asks the service any more.",
            description="{{ $labels.service }} gets no request at all; a week ago at this time it got some.",
            means="The service is there, but nothing reaches it: ratios of no requests say nothing, so other alerts stay silent.",
            steps=(
                "From outside: does its name resolve to the right address, does the gateway answer?",
                "The gateway's log: does it get requests, and where does it send them?",
                "A holiday, or a client that was taken out of service? Silence it until tomorrow.",
            ),
            look="service:http_requests:rate5m",
        ),
        Alert(
            "CrashLooping",
            "critical",
            """
max by (service, env) (
  changes(max by (service, env, instance) (process_start_time_seconds{job=~"app|voice|shipper|cleanup"})[<15m>:<30s>])
) > <ALERT_CRASHES>
""",
            hold="0s",
            summary="A service keeps restarting.",
            description="{{ $labels.service }} started {{ $value | printf `%.0f` }} times; the limit is <ALERT_CRASHES>.",
            means="Workers die and are started again. Requests in flight are lost each time; log records are not.",
            board="nobet-general-system-health",
            steps=(
                "Last lines before each start: `event:app.started` in the logs, and the component's own log file.",
                "Exit code 137 or `Killed`: memory. Anything else: the traceback is on stderr.",
                "Started by a deploy just now? Roll back.",
            ),
            look='process_start_time_seconds{job=~"app|voice|shipper|cleanup"}',
        ),
        Alert(
            "EventLoopLagHigh",
            "warning",
            "max by (service, env) (avg_over_time(event_loop_lag_seconds[<5m>])) > <ALERT_LOOP_LAG_SECONDS>",
            hold="5m",
            summary="The event loop is blocked.",
            description="The event loop of {{ $labels.service }} is {{ $value | humanizeDuration }} late; the limit is "
            "<ALERT_LOOP_LAG_SECONDS> s.",
            means="Something computes or blocks inside the event loop, so every request of that worker waits.",
            steps=(
                "Which endpoint grew with it? A synchronous call (file, DNS, database driver, large JSON) belongs in a thread.",
                "CPU at its limit (HighCpuUsage)? Then it is load: add workers.",
            ),
            look="event_loop_lag_seconds",
        ),
    ),
    board="nobet-api-performance",
)
