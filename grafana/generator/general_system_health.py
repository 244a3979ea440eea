"""The dashboard General system health: what is up, what is down, and since when."""

from typing import Final

from grafana_foundation_sdk.builders import dashboard as d

from grafana.generator import shared as s
from grafana.generator.api_queries import ERROR_RATIO
from grafana.generator.layout import fill
from grafana.generator.links import board_link, limit, runbook_url
from grafana.generator.pieces import Column, numbers_of, tiles, up_or_down

UID: Final = "nobet-general-system-health"

_R: Final = "[$__rate_interval]"


def general_system_health() -> d.Dashboard:
    """What is up, what is down, and since when?"""
    board = s.dashboard(
        UID,
        "General system health",
        "What is up, what is down, and since when? Every service, what it depends on, its address from outside, CPU, memory, errors.",
        runbook_url(),
        variables=[s.label_variable("service", "Service", 'label_values(up{env=~"$env"}, service)', several=True)],
    )
    return fill(
        board,
        [services(), *_use()],
        ("Dependencies", _dependencies()),
        ("From outside", _outside()),
        ("Work that runs by itself", [_work()]),
    )


def services() -> s.Panel:
    """A tile for each service. A store is down when its exporter cannot reach it."""
    own = f'min by (service) (max_over_time(up{{{s.SELECT}, job!="blackbox-http"}}{_R}))'
    probed = f'min by (service) (max_over_time(probe_success{{{s.SELECT}, probe=~"live|ready|answers"}}{_R}))'
    stores = f"min by (service) (max_over_time(pg_up{{{s.SELECT}}}{_R}) or max_over_time(redis_up{{{s.SELECT}}}{_R}))"
    return tiles(
        "Services",
        "Every service now. Down: for a minute Prometheus got no metrics, its probe failed, or the exporter of a store could not connect.",
        s.now(f"min by (service) (({stores}) < 1 or {probed} < 1 or {own} < 1 or {probed} or {own})", legend="{{service}}"),
        empty="No Prometheus",
    ).links([board_link("Targets and the watch itself", "nobet-oncall")])


def _use() -> list[s.Panel]:
    host = s.series(
        "Host",
        "CPU, memory and disk of the machine, in percent of what it has. Line: a ticket for CPU; "
        f"memory has one at {limit('ALERT_MEMORY_PERCENT'):g} %, the disk at {limit('ALERT_DISK_PERCENT'):g} %.",
        "percent",
        s.query(f"max(system_cpu_usage_percent{{{s.SELECT}}})", "CPU", "A"),
        s.query(f"max(system_memory_usage_percent{{{s.SELECT}}})", "memory", "B"),
        s.query(f"max(system_disk_usage_percent{{{s.SELECT}}})", "disk", "C"),
        empty="No metrics of the services chosen",
    ).max(100)
    errors = s.series(
        "API errors by service",
        "Share of the requests that end in a 5xx or an unhandled exception. Lines: ticket at "
        f"{limit('ALERT_ERROR_RATE_WARNING') * 100:g} %, page at {limit('ALERT_ERROR_RATE') * 100:g} %.",
        "percentunit",
        s.query(f"max by (service) (service:http_requests_errors:ratio_rate5m{{{s.SELECT}}})", "{{service}}", "A"),
        s.query(ERROR_RATIO, "all", "B"),
    ).data_links([board_link("Error rate", "nobet-error-rate")])
    cpu = s.series(
        "CPU by service",
        "Cores that each of our services uses.",
        "none",
        s.query(f'sum by (service) (rate(process_cpu_seconds_total{{{s.SELECT}, worker!=""}}{_R}))', "{{service}}"),
        empty="No metrics of the services chosen",
    ).data_links([board_link("System", "nobet-system")])
    memory = s.series(
        "Memory by service",
        "Resident memory of each of our services, of all its workers together.",
        "bytes",
        s.query(f'sum by (service) (process_resident_memory_bytes{{{s.SELECT}, worker!=""}})', "{{service}}"),
        empty="No metrics of the services chosen",
    ).data_links([board_link("System", "nobet-system")])
    host = s.lines(s.colours(host, {"CPU": "blue", "memory": "purple", "disk": "orange"}), (limit("ALERT_CPU_PERCENT"), s.NEAR))
    near, beyond = limit("ALERT_ERROR_RATE_WARNING"), limit("ALERT_ERROR_RATE")
    return [host, s.lines(errors, (near, s.NEAR), (beyond, s.BEYOND)), s.stacked(cpu), s.stacked(memory)]


def _dependencies() -> list[s.Panel]:
    states = up_or_down(
        "What each service depends on",
        "The health monitor's checks: database, Redis, Elasticsearch, voice, disk, memory, addresses of yours.",
        s.query(f"min by (service, dependency) (dependency_up{{{s.SELECT}}})", "{{service}} {{dependency}}"),
        empty="Nothing is checked",
    )
    took = s.series(
        "Time of a check",
        "How long the last check of each dependency took. One that grows is often the first sign.",
        "s",
        s.query(f"max by (service, dependency) (dependency_check_duration_seconds{{{s.SELECT}}})", "{{service}} {{dependency}}"),
        empty="Nothing is checked",
    )
    return [states.height(10), took.height(10)]


def _outside() -> list[s.Panel]:
    by = "service, probe, instance"
    uptime = numbers_of(
        "Uptime of each endpoint",
        "Uptime by total time, as a probe from outside sees it: now, of the last day and of 30 days. The objective is 99.9 %, "
        "43 minutes away in a month.",
        {"service": "Service", "probe": "Probe", "instance": "Address"},
        (
            Column("Five minutes", "percentunit", f"min by ({by}) (endpoint:probe_success:avg5m{{{s.SELECT}}})", 1),
            Column("A day", "percentunit", f"min by ({by}) (endpoint:probe_success:avg1d{{{s.SELECT}}})", 2),
            Column("30 days", "percentunit", f"min by ({by}) (endpoint:probe_success:avg30d{{{s.SELECT}}})", 3),
            Column("Answers in", "s", f"max by ({by}) (probe_duration_seconds{{{s.SELECT}}})", 3),
        ),
        sort="Answers in",
        empty="Nothing is probed",
    )
    probes = up_or_down(
        "Probes",
        "Each address as it answered over time.",
        s.query(f"min by (service, probe) (probe_success{{{s.SELECT}}})", "{{service}} {{probe}}"),
        empty="Nothing is probed",
    )
    certificates = s.series(
        "Certificates",
        f"How long the certificates of probed https addresses are valid. Line: a ticket at {limit('ALERT_CERTIFICATE_DAYS'):g} days.",
        "d",
        s.query(f"(min by (instance) (probe_ssl_earliest_cert_expiry{{{s.SELECT}}}) - time()) / 86400", "{{instance}}"),
        empty="No https address is probed",
    )
    return [uptime, probes, s.lines(certificates, (limit("ALERT_CERTIFICATE_DAYS"), s.NEAR))]


def _work() -> s.Panel:
    def ago(gauge: str) -> str:
        since = f"time() - max({gauge}{{{s.SELECT}}})"
        return f"{since} < 1e9"  # a gauge at 0, the year 1970, means never

    return numbers_of(
        "Last success",
        "How long ago each work that runs by itself last succeeded: the nightly cleanup, the backup, the canary record that goes through "
        "the whole log pipeline. Missing: never yet, or, for backups, nobody expects any.",
        {"work": "Work"},
        (Column("Ago", "s", " or ".join(_named(ago(gauge), name) for gauge, name in _WORK.items()), 0),),
        sort="Ago",
        empty="Nothing has run yet",
    ).height(6)


_WORK: Final = {
    "cleanup_last_success_timestamp_seconds": "cleanup of old logs",
    "backup_last_success_timestamp_seconds": "backup",
    "canary_last_found_timestamp_seconds": "canary of the log pipeline",
}


def _named(expr: str, name: str) -> str:
    return f'label_replace({expr}, "work", "{name}", "", "")'
