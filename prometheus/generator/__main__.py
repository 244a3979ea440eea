"""`python -m prometheus.generator`: write rules, runbook and the cases of the objectives."""

import argparse
from pathlib import Path
from typing import Final

from prometheus.generator.model import Context
from prometheus.generator.render import write
from prometheus.generator.slo_cases import case_files

ROOT: Final = Path(__file__).parent.parent.parent


def main() -> None:
    """Write the committed files, or with `--out` a rendering for another place."""
    parser = argparse.ArgumentParser(prog="python -m prometheus.generator", description="Write the Prometheus rules and the runbook.")
    parser.add_argument("--out", type=Path, help="folder for the rule files; without it prometheus/rules and docs/runbook.md are written")
    parser.add_argument("--scale", type=_positive, default=1.0, help="factor for all windows and holding times (0.1: ten times as quick)")
    parser.add_argument("--scrape-interval", type=_positive, default=15.0, help="seconds between scrapes; windows have at least four")
    parser.add_argument("--grafana-url", default="", help="address of Grafana in the links, when it differs from thresholds.yml")
    parser.add_argument(
        "--limit", type=_limit, action="append", default=[], metavar="NAME=VALUE", help="another value for a limit, for a drill"
    )
    given = parser.parse_args()
    context = Context(
        scale=given.scale, scrape_interval=given.scrape_interval, grafana_url=given.grafana_url, moved_limits=dict(given.limit)
    )
    if given.out:
        write(given.out, context)
    else:
        write(ROOT / "prometheus" / "rules", context, ROOT / "docs" / "runbook.md")
        for name, content in case_files().items():
            (ROOT / "prometheus" / "tests" / name).write_text(content, encoding="utf-8")


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


def _positive(text: str) -> float:
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


if __name__ == "__main__":
    main()
