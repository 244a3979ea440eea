"""Writes the tables of docs/sizing.md from the figures of a run."""

from statistics import median
from typing import Any, Final

from app.stack.paths import CHECKOUT

PAGE: Final = CHECKOUT / "docs" / "sizing.md"

TARGETS: Final = {"p50_ms": 200, "p95_ms": 500, "p99_ms": 1000}
"""Milliseconds; what the source documents ask for."""

USERS: Final = (1_000, 10_000, 100_000)
OPERATIONS: Final = 10
"""Operations of a user in a day: 100,000 users make about a million."""

EVENTS: Final = 20
"""Tracked events of a user in a day: 10,000 users make 200,000."""

ERROR_SHARE: Final = 0.001
PEAK: Final = 5
"""The busiest hour against the mean of the day: people sleep."""

EVENT_BYTES: Final = 350
"""Of a tracked event in Elasticsearch, where none was measured."""

DAYS: Final = 90


def write_page(found: dict[str, Any]) -> None:
    """Put the measured table and the planning sheet between their marks."""
    page = PAGE.read_text(encoding="utf-8")
    page = _between(page, "measured", _measured(found))
    page = _between(page, "planning", _planning(found["logging"]))
    PAGE.write_text(page, encoding="utf-8")


def _between(page: str, name: str, text: str) -> str:
    head, _, rest = page.partition(f"<!-- {name} -->\n")
    _, mark, tail = rest.partition(f"<!-- /{name} -->")
    if not mark:
        raise RuntimeError(f"{PAGE} has no marks for {name}: put <!-- {name} --> and <!-- /{name} --> where its table belongs.")
    return f"{head}<!-- {name} -->\n{text}{mark}{tail}"


def _of(found: dict[str, Any], variant: str, mode: str, figure: str) -> float:
    """The median of the rounds."""
    return median(float(run[figure]) for run in found["runs"] if (run["variant"], run["mode"]) == (variant, mode))


def _measured(found: dict[str, Any]) -> str:
    settings, machine = found["settings"], found["machine"]
    about = (
        f"Measured {found['when'][:10]} on {machine['cores']} cores ({machine['processor']}), Python {machine['python']}; servers, "
        f"databases and the load generator share them. {settings['connections']} keep-alive connections, {settings['workers']} workers, "
        "median of "
        f"{settings['rounds']} interleaved rounds of {settings['seconds']:g} s. On: JSON logs to spool, standard output and Elasticsearch, "
        f"metrics of all workers, {settings['trace_sample_rate']:.0%} of the requests traced, error tracking. Off: the same endpoints "
        "without the kit."
    )
    lines = [
        about,
        "",
        "| | target | paced, on | paced, off | saturated, on | saturated, off |",
        "|---|---|---|---|---|---|",
    ]
    ways = [(variant, mode) for mode in ("paced", "saturated") for variant in ("on", "off")]

    def row(title: str, target: str, figure: str, form: str) -> str:
        return f"| {title} | {target} | " + " | ".join(format(_of(found, *way, figure), form) for way in ways) + " |"

    offered = settings["connections"] / settings["think"]
    lines.append(row("requests/s", f"{offered:g} offered", "per_second", ".0f"))
    lines += [row(f"{name[:-3]}, ms", f"< {limit}", name, ".0f") for name, limit in TARGETS.items()]
    lines.append(row("first byte p50, ms", "100–300 or less", "ttfb_p50_ms", ".0f"))
    lines.append(row("first byte p95, ms", "", "ttfb_p95_ms", ".0f"))
    lines.append(row("failed", "< 0.1 %", "error_share", ".3%"))
    lines.append(f"| CPU of the app, ms a request | | {' | '.join(f'{_cpu(found, *way):.2f}' for way in ways)} |")
    cost = _cpu(found, "on", "paced") - _cpu(found, "off", "paced")
    shed = _of(found, "on", "saturated", "error_share")
    logging = found["logging"]
    arrived = min(logging["indexed"], int(logging["records"]))
    verdict = (
        f"At the paced load observability costs {cost:.2f} ms of CPU a request. Saturated, the database is the limit: {shed:.0%} of the "
        "requests wait longer than `DATABASE_POOL_TIMEOUT_SECONDS` and are answered 503. Each of them is recorded as the failure "
        f"that it is, which takes CPU from those that would succeed. Of {logging['records']:.0f} records written {arrived} were in "
        "Elasticsearch at the end. Raw figures: `bench/results/load.json`."
    )
    lines += ["", verdict, ""]
    return "\n".join(lines)


def _cpu(found: dict[str, Any], variant: str, mode: str) -> float:
    runs = [run for run in found["runs"] if (run["variant"], run["mode"]) == (variant, mode)]
    return median([float(run["server_cpu_seconds"]) / max(1, int(run["requests"])) * 1000 for run in runs])


def _planning(logging: dict[str, Any]) -> str:
    per_event = logging["index_bytes_per_event"] or EVENT_BYTES
    stored_bytes = logging["index_bytes_per_record"] or logging["bytes_per_record"]
    rows: dict[str, list[str]] = {}
    for users in USERS:
        requests = users * OPERATIONS
        records = requests * logging["records_per_request"]
        stored = records * stored_bytes
        events = users * EVENTS
        column = {
            "requests a day": f"{requests:,.0f}",
            "requests/s, mean · busiest hour": f"{requests / 86400:.2g} · {PEAK * requests / 86400:.2g}",
            "log records a day": f"{records:,.0f}",
            "log bytes a day, written": _size(records * logging["bytes_per_record"]),
            "log index a day": _size(stored),
            f"log index, {DAYS} days": _size(stored * DAYS),
            "tracked events a day": f"{events:,.0f}",
            f"event index, {DAYS} days": _size(events * per_event * DAYS),
            "traces a day at 10 %": f"{requests * 0.1:,.0f}",
            "error events a day · month": f"{requests * ERROR_SHARE:,.0f} · {requests * ERROR_SHARE * 30:,.0f}",
        }
        for title, cell in column.items():
            rows.setdefault(title, []).append(cell)
    head = f"| | {' | '.join(f'{users:,} users' for users in USERS)} |\n|---|{'---|' * len(USERS)}\n"
    facts = (
        f"From the run: {logging['records_per_request']:.1f} records a request, {logging['bytes_per_record']:.0f} bytes a record as "
        f"written, {stored_bytes:.0f} in the index without a replica; {per_event:.0f} bytes an event"
        f"{'' if logging['index_bytes_per_event'] else ' (assumed)'}.\n\n"
    )
    return facts + head + "".join(f"| {title} | {' | '.join(cells)} |\n" for title, cells in rows.items()) + "\n"


def _size(amount: float) -> str:
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB" if amount < 1000 else f"{amount / 1000:.3g} TB"
