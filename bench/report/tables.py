"""The tables of the report, one for each part of the bench."""

from collections.abc import Iterator
from statistics import median
from typing import Any

from bench.formatter.measure import TITLES
from bench.report.goals import Figures, goals
from bench.request_path.variants import VARIANTS
from bench.shipping.measure import SHIPPERS

_WORDS = {True: "met", False: "**not met**", None: "not measured"}


def goal_table(figures: Figures) -> str:
    """Every goal beside what was measured."""
    rows = [(goal.work, goal.goal, goal.measured, _WORDS[goal.met]) for goal in goals(figures)]
    return table(("work", "goal", "measured", ""), rows)


def request_path(found: dict[str, Any]) -> str:
    """Ratio, spread, microseconds, records and memory of each variant."""
    head = ("variant", "ping: CPU x bare", "quartiles", "added µs", "feed: CPU x bare", "quartiles", "added µs", "records ping/feed", "MiB")
    rows = []
    for variant in VARIANTS:
        of = found["summary"].get(variant.name)
        if of is None:
            continue
        cells = []
        for endpoint in ("ping", "feed"):
            ratio, added = of[endpoint]["ratio"], of[endpoint]["added_us"]
            cells += [f"{ratio['median']:.2f}", f"{ratio['low']:.2f}–{ratio['high']:.2f}", f"{added['median']:.0f}"]
        records = f"{of['ping']['records_a_request']:g}/{of['feed']['records_a_request']:g}"
        rows.append((variant.title, *cells, records, f"{found['memory_mib'][variant.name]:.0f}"))
    ping, feed = (found["summary"]["bare"][endpoint]["cpu_us"]["median"] for endpoint in ("ping", "feed"))
    settings = found["settings"]
    note = (
        f"Bare FastAPI takes {ping:.0f} µs of CPU for a ping and {feed:.0f} µs for a feed. {settings['rounds']} rounds of "
        f"{settings['requests_a_turn']} requests, order drawn with seed {settings['seed']}; ratio within the round, then median and "
        "quartiles over the rounds."
    )
    return f"{note}\n\n{table(head, rows)}{_left_out(found)}"


def formatter(found: dict[str, Any]) -> str:
    """Microseconds and ratio of each logger."""
    head = ("logger", "µs a call", "quartiles", "x ours", "bytes a line")
    rows = []
    for name, title in TITLES.items():
        of = found["summary"].get(name)
        if of is not None:
            us, times = of["us"], of["times_kit"]["median"]
            rows.append((title, f"{us['median']:.2f}", f"{us['low']:.2f}–{us['high']:.2f}", f"{times:.2f}", f"{of['bytes_a_line']:.0f}"))
    settings = found["settings"]
    note = (
        f"Five extra fields and five of the context, one record a call, to bytes in a file. {settings['rounds']} rounds of "
        f"{settings['calls_a_turn']} calls, seed {settings['seed']}."
    )
    return f"{note}\n\n{table(head, rows)}{_left_out(found)}"


def shipping(found: dict[str, Any]) -> str:
    """Documents a second, CPU and memory of each shipper."""
    head = ("shipper", "documents/s", "least–most", "x ceiling", "client CPU s per 100k", "least–most", "MiB", "lines lost or doubled")
    rows = []
    lines = found["settings"]["lines"]
    for name, (title, _) in SHIPPERS.items():
        of = found["summary"].get(name)
        if of is None:
            continue
        speed, cpu, ceiling = of["docs_per_second"], of["cpu_per_100k"], of.get("speed_to_ceiling")
        wrong = sum(abs(row["arrived"] - lines) for row in found["runs"] if row["shipper"] == name)
        rows.append(
            (
                title,
                f"{speed['median']:,.0f}",
                f"{speed['least']:,.0f}–{speed['most']:,.0f}",
                f"{ceiling['median']:.2f}" if ceiling else "",
                f"{cpu['median']:.2f}",
                f"{cpu['least']:.2f}–{cpu['most']:.2f}",
                f"{of['peak_mib']['median']:.0f}",
                str(wrong),
            )
        )
    settings = found["settings"]
    note = (
        f"{lines:,} lines of {settings['bytes_a_line']:.0f} bytes into one private Elasticsearch "
        f"{found['versions'].get('Elasticsearch server', '')} (1 shard, 0 replicas, 512 MiB heap) on the same cores; {settings['rounds']} "
        f"rounds, seed {settings['seed']}; 4,000 documents a batch and two connections where a shipper can be told."
    )
    return f"{note}\n\n{table(head, rows)}{_left_out(found)}"


def scale(found: dict[str, Any]) -> str:
    """Writers, growth, draining beside requests: those that were measured."""
    return "\n\n".join(_scale(found)) + _left_out(found)


def _scale(found: dict[str, Any]) -> Iterator[str]:
    rows: list[tuple[Any, ...]]
    if "writers" in found:
        numbers = sorted({row["writers"] for row in found["writers"]})
        rows = []
        for number in numbers:
            own = [row for row in found["writers"] if row["writers"] == number]
            speeds = [row["lines_per_second"] for row in own]
            cost = median(row["cpu_us_a_line"] for row in own)
            rows.append((number, f"{median(speeds):,.0f}", f"{min(speeds):,.0f}–{max(speeds):,.0f}", f"{cost:.2f}"))
        yield "Processes that log into one spool at once:\n\n" + table(("writers", "lines/s", "least–most", "CPU µs a line"), rows)
    shipped = ("documents/s", "CPU s per 100k", "most MiB", "arrived")
    if "writers_shipped" in found:
        rows = [(row["writers"], *_drained(row)) for row in found["writers_shipped"]]
        yield "The same 100 MB left by several writers, shipped:\n\n" + table(("writers", *shipped), rows)
    if "growth" in found:
        rows = [(f"{row['megabytes']:,} MB", *_drained(row), _over_time(row)) for row in found["growth"]]
        yield "A backlog that is there when the shipper begins, shipped to its end:\n\n" + table(
            ("backlog", *shipped, "MiB at a tenth, half, nine tenths of the time"), rows
        )
    if "serving" in found:
        yield "Requests (paced, 200/s) before, while and after a backlog is drained:\n\n" + _serving(found["serving"])


def _drained(row: dict[str, Any]) -> tuple[str, str, str, str]:
    arrived = "all, once" if row["arrived"] == row["lines"] else f"{row['arrived']:,} of {row['lines']:,}"
    return f"{row['docs_per_second']:,.0f}", f"{row['cpu_per_100k']:.2f}", f"{row['peak_mib']:.0f}", arrived


def _over_time(row: dict[str, Any]) -> str:
    memory = [mib for _, mib in row["memory"]]
    return ", ".join(f"{memory[int(len(memory) * share)]:.0f}" for share in (0.1, 0.5, 0.9)) if memory else ""


def _serving(rows: list[dict[str, Any]]) -> str:
    head = ("span", "requests", "failed", "p50 ms", "p95 ms", "p99 ms", "CPU µs a request", "backlog")
    cells = []
    for row in rows:
        drained = f"{row['lines']:,} lines at {row['docs_per_second']:,.0f}/s" if "lines" in row else ""
        times = [f"{row[name]:g}" for name in ("p50_ms", "p95_ms", "p99_ms")]
        cells.append((row["span"], row["requests"], row["errors"], *times, f"{row['cpu_us']:.0f}", drained))
    return table(head, cells)


def _left_out(found: dict[str, Any]) -> str:
    missing = found.get("missing") or {}
    return "".join(f"\nNot measured: {name}: {reason}\n" for name, reason in missing.items())


def table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A Markdown table: the first column is text, the others are figures."""
    lines = [f"| {' | '.join(head)} |", "|---" + "|--:" * (len(head) - 1) + "|"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"
