"""The watch watches itself: targets, rules, delivery, and an alert that must always fire."""

from typing import Final

from prometheus.generator.model import SINCE_START, Alert, Group, Severity


def _absent(service: str, severity: Severity) -> Alert:
    # absent() knows only the labels of its matchers; env comes from Prometheus' own target.
    return Alert(
        "MetricsAbsent",
        severity,
        f"""
absent(app_info{{service="{service}"}}) * on () group_left (env) group by (env) (up{{job="prometheus"}})
or on (service) absent(app_info{{service="{service}"}})
""",
        hold="5m",
        summary="A service has no metrics.",
        description="Prometheus has no metrics of {{ $labels.service }}: its other alerts cannot fire.",
        means="The service is down, its target is missing, or the scrape is refused. Its other alerts are blind.",
        board="nobet-general-system-health",
        steps=(
            "Prometheus, Status, Targets: what does the scrape say?",
            "401 or 403: `METRICS_TOKEN` of the service and `secrets/metrics_token` of Prometheus differ.",
            "The target is not listed: `targets/*.yml`.",
        ),
        service=service,
        look=f'up{{service="{service}"}}',
    )


META: Final = Group(
    "meta",
    (
        Alert(
            "Watchdog",
            "none",
            'group by (env) (up{job="prometheus"}) or on () vector(1)',
            hold="0s",
            summary="The alerting path works.",
            description="This alert always fires. When it stops arriving, rules, Prometheus or Alertmanager are broken.",
            means="It always fires. A receiver that stops getting it knows that the watch is asleep.",
            steps=("Nothing to do when it fires.", "When it is missing: is Prometheus up, does it reach Alertmanager, do the rules load?"),
            service="prometheus",
            look="vector(1)",
        ),
        Alert(
            "TargetDown",
            "warning",
            f"""
avg by (job, service, env, instance) (avg_over_time(up{{job!="shipper"}}[<10m>])) < <ALERT_TARGET_UP_RATIO>
{SINCE_START.format("10m")}
""",
            hold="5m",
            summary="A scrape target is down.",
            description="Only {{ $value | humanizePercentage }} of the scrapes of {{ $labels.instance }} ({{ $labels.job }}) succeed.",
            means="Its metrics have gaps; alerts that need them may stay silent.",
            board="nobet-general-system-health",
            steps=("Prometheus, Status, Targets: the error text.", "`make status`: is the exporter running?"),
            look="up",
        ),
        _absent("app", "critical"),
        _absent("shipper", "critical"),
        _absent("voice", "warning"),
        _absent("cleanup", "warning"),
        Alert(
            "PrometheusBadConfig",
            "critical",
            "max by (service, env) (max_over_time(prometheus_config_last_reload_successful[<5m>])) == 0",
            hold="10m",
            summary="Prometheus runs with an old configuration.",
            description="The last reload of Prometheus' configuration failed.",
            means="Changes to rules or targets are not in force; at the next restart Prometheus will not start.",
            steps=("`promtool check config prometheus.yml`.", "Correct it and reload: `curl -X POST 127.0.0.1:9090/-/reload`."),
            look="prometheus_config_last_reload_successful",
        ),
        Alert(
            "PrometheusRuleFailures",
            "critical",
            "sum by (service, env) (increase(prometheus_rule_evaluation_failures_total[<5m>])) > 0",
            hold="15m",
            summary="Alert rules cannot be evaluated.",
            description="{{ $value | printf `%.0f` }} evaluations of rules failed.",
            means="Alerts whose rule fails are silent.",
            steps=(
                "Prometheus, Status, Rules shows the error per rule.",
                "Most often two series match where one is expected: a target is listed twice.",
            ),
            look="increase(prometheus_rule_evaluation_failures_total[<5m>])",
        ),
        Alert(
            "PrometheusWalCorruption",
            "warning",
            "sum by (service, env) (increase(prometheus_tsdb_wal_corruptions_total[<15m>])) > 0",
            hold="0s",
            keep="15m",
            summary="Prometheus found a damaged write-ahead log.",
            description="{{ $value | printf `%.0f` }} pieces of the write-ahead log of {{ $labels.service }} could not be read.",
            means="Some of the newest samples are gone: graphs have a gap, and alerts may have started anew.",
            steps=("Was there a power failure, or is the disk full? `dmesg | grep -i error`, SMART.", "Prometheus goes on by itself."),
            look="increase(prometheus_tsdb_wal_corruptions_total[<15m>])",
        ),
        Alert(
            "ScrapeLimitHit",
            "warning",
            "sum by (service, env) (increase(prometheus_target_scrapes_exceeded_sample_limit_total[<10m>])) > 0",
            hold="15m",
            summary="A target has more series than it may.",
            description="{{ $value | printf `%.0f` }} scrapes were thrown away because they had too many series.",
            means="A label has gone wild: ids or paths became label values. All metrics of that target are missing.",
            steps=(
                "Prometheus, Status, Targets: which one says `sample limit exceeded`?",
                '`topk(10, count by (__name__) ({job="JOB"}))` from before: which metric grew? Take the label out.',
                "The growth is wanted? Raise the sample limit of the job in prometheus.yml.",
            ),
            look="increase(prometheus_target_scrapes_exceeded_sample_limit_total[<10m>])",
        ),
        Alert(
            "PrometheusNotConnectedToAlertmanagers",
            "critical",
            "max by (service, env) (max_over_time(prometheus_notifications_alertmanagers_discovered[<5m>])) < 1",
            hold="10m",
            summary="Prometheus knows no Alertmanager.",
            description="Alerts fire, but nobody is told.",
            means="`targets/alertmanager.yml` is missing or empty.",
            steps=("Look at the file beside prometheus.yml; natively `make up` renders it.",),
            look="prometheus_notifications_alertmanagers_discovered",
        ),
        Alert(
            "PrometheusErrorSendingAlerts",
            "critical",
            """
sum by (service, env) (rate(prometheus_notifications_errors_total[<5m>]))
/ sum by (service, env) (rate(prometheus_notifications_sent_total[<5m>]) > 0)
> <ALERT_DELIVERY_FAILURE_RATIO>
""",
            hold="10m",
            summary="Alerts do not reach Alertmanager.",
            description="{{ $value | humanizePercentage }} of the alerts could not be handed to Alertmanager.",
            means="Alertmanager is down or refuses. This alert can only be seen in Prometheus and Grafana.",
            steps=("`curl -s 127.0.0.1:9093/-/ready`.", "`make up` starts it."),
            look="rate(prometheus_notifications_errors_total[<5m>])",
        ),
        Alert(
            "AlertmanagerFailedReload",
            "critical",
            "max by (service, env) (max_over_time(alertmanager_config_last_reload_successful[<5m>])) == 0",
            hold="10m",
            summary="Alertmanager runs with an old configuration.",
            description="The last reload of Alertmanager's configuration failed.",
            means="Changes to routes and receivers are not in force.",
            steps=("`amtool check-config alertmanager.yml`.", "Correct it and reload: `curl -X POST 127.0.0.1:9093/-/reload`."),
            look="alertmanager_config_last_reload_successful",
        ),
        Alert(
            "AlertmanagerFailedToSend",
            "critical",
            """
sum by (service, env, integration) (rate(alertmanager_notifications_failed_total[<5m>]))
/ sum by (service, env, integration) (rate(alertmanager_notifications_total[<5m>]) > 0)
> <ALERT_DELIVERY_FAILURE_RATIO>
""",
            hold="5m",
            summary="Notifications cannot be delivered.",
            description="{{ $value | humanizePercentage }} of the notifications by {{ $labels.integration }} fail.",
            means="People are not told of other alerts. If all channels fail, this is only to be seen in Grafana and Prometheus.",
            steps=(
                "Alertmanager's log gives the receiver's answer: refused, wrong password, rate limit.",
                "Mail: `SMTP_SERVER`, `SMTP_PORT`, `SMTP_USERNAME`; Gmail wants an application password.",
            ),
            look="rate(alertmanager_notifications_failed_total[<5m>])",
        ),
    ),
    board="nobet-oncall",
)
