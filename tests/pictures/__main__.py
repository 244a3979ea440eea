"""`make pictures`: every dashboard of the running stack as a PNG in docs/images/dashboards.

Begin with `make up` and some minutes of `make demo`, so that there is something to see. Exits 1 when a panel
shows an error: such a picture is not written.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from app.core.terminal import screen
from app.stack.errors import StackError
from app.stack.paths import CHECKOUT
from app.stack.preview.command import page_of, silent
from app.stack.stack import open_stack
from tests.pictures.serving import served
from tests.pictures.take import show, take
from tests.support.browser import Browser

PICTURES: Final = CHECKOUT / "docs" / "images" / "dashboards"


def main() -> int:
    """Take the pictures; 1 when a dashboard could not be drawn whole."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description="Make pictures of all dashboards.")
    parser.add_argument("dashboards", nargs="*", metavar="UID", help="only these (default: all)")
    parser.add_argument("--out", type=Path, default=PICTURES, help="folder for the PNG files (default: %(default)s)")
    parser.add_argument("--light", action="store_true", help="the light theme")
    parser.add_argument("--from", dest="begin", default="now-30m", help="beginning of the time range (default: %(default)s)")
    chosen = parser.parse_args()
    query = f"&from={chosen.begin}&to=now" + ("&theme=light" if chosen.light else "")
    try:
        page = page_of(open_stack(), screen())
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if missing := silent(page.sources):
        sys.stderr.write(f"{missing[0].name} does not answer. Start the stack with `make up` and give it traffic with `make demo`.\n")
        return 1
    failed = False
    with served(page) as server, Browser() as browser:
        for uid, file in server.dashboards().items():
            if chosen.dashboards and uid not in chosen.dashboards:
                continue
            shown = show(browser, server.address, uid, query)
            if shown.failures:
                failed = True
                sys.stderr.write(f"{uid}: " + "; ".join(shown.failures) + "\n")
            else:
                take(browser, chosen.out / f"{file}.png")
                sys.stdout.write(f"  {chosen.out / file}.png\n")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
