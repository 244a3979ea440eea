"""A parent that starts replicas of the on-call service by fork: what takes a second to import is imported once.

Reads one JSON object a line, {"port", "env", "claim", "try"}, and answers with the pid of the replica that it
started so. Replicas end with it. Everything else is as in production: the same application, server and clocks.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

import uvicorn

from app.core.config import load_settings
from app.core.serve import server_options
from app.oncall import delivery
from app.oncall.channels import mail
from app.oncall.main import create_app

_PARENT_DEATH_SIGNAL = 1


def main() -> None:
    """Until the end of its input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _serve(wanted)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _serve(wanted: dict[str, Any]) -> None:
    os.dup2(2, 1)  # what it prints is no answer to the test
    os.environ.update(wanted["env"])
    delivery.CLAIM_SECONDS = wanted["claim"]  # type: ignore[misc]
    delivery.TRY_SECONDS = wanted["try"]  # type: ignore[misc]
    delivery.FRESH_SECONDS = max(0.5, (wanted["claim"] - wanted["try"]) / 2)  # type: ignore[misc]
    delivery.GAP_SECONDS = 0.5  # type: ignore[misc]
    mail.TIMEOUT_SECONDS = wanted["try"] / 2  # type: ignore[misc]
    settings = load_settings()
    options = {**server_options(settings), "loop": "asyncio"}
    uvicorn.run(create_app(settings), host="127.0.0.1", port=wanted["port"], **options)


if __name__ == "__main__":
    main()
