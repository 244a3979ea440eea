"""`python -m app.shipper` ships; `python -m app.shipper setup` prepares Elasticsearch for it."""

import argparse
import sys

from app.core.config import ConfigError, load_settings
from app.shipper import process, setup


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 after an orderly end, 1 when the work can't be done, 2 when the settings can't be used."""
    parser = argparse.ArgumentParser(prog="python -m app.shipper", description="Bring log records from the spool to Elasticsearch.")
    parser.add_argument(
        "step", nargs="?", choices=["run", "setup"], default="run", help="run (default), or setup: index templates, once, as nobet_admin"
    )
    step = parser.parse_args(arguments).step
    try:
        settings = load_settings()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    return setup.run(settings) if step == "setup" else process.run(settings)


if __name__ == "__main__":
    sys.exit(main())
