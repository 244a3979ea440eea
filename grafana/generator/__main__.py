"""`python -m grafana.generator`: write the dashboards."""

import argparse
from pathlib import Path
from typing import Final

from grafana.generator.render import write

DASHBOARDS: Final = Path(__file__).parent.parent / "dashboards"


def main() -> None:
    """Write the committed files, or with `--out` to another folder."""
    parser = argparse.ArgumentParser(prog="python -m grafana.generator", description="Write the Grafana dashboards.")
    parser.add_argument("--out", type=Path, default=DASHBOARDS, help="folder for the JSON files (default: %(default)s)")
    write(parser.parse_args().out)


if __name__ == "__main__":
    main()
