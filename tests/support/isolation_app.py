"""The backend with one more endpoint, which does everything that could mix up contexts: a big body, threads, tasks, spans, faults.

`python -m tests.support.isolation_app PORT LOOP [leaky]`. The leaky variant keeps
whatever context a request begins with, as applications without clear-and-rebind
do; it shows that the traffic of the test would find a leak.
"""

import asyncio
import sys
from typing import Any

import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request

from app.core import context, tracing
from app.core.config import load_settings
from app.core.logger import get_logger
from app.core.serve import server_options
from app.main import create_app

log = get_logger("tests.isolation")
_tasks: set[asyncio.Task[None]] = set()


def note(where: str, truth: str) -> None:
    """A record that says under which id it ought to stand."""
    log.info(f"In {where}", extra={"truth": truth})


async def later(truth: str) -> None:
    """Goes on when the request is long over."""
    with tracing.span("feed.load", truth=truth):
        await asyncio.sleep(0.05)
        note("task", truth)


def add_endpoint(app: FastAPI) -> None:
    """POST /isolation/{truth}: whose path names the id that it came with."""

    @app.post("/isolation/{truth}")
    async def isolation(truth: str, request: Request, jobs: BackgroundTasks) -> dict[str, Any]:
        body = await request.body()
        with tracing.span("feed.load", truth=truth):
            await asyncio.to_thread(note, "thread", truth)
        task = asyncio.create_task(later(truth))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        jobs.add_task(note, "background", truth)
        if truth.endswith("-fault"):
            raise RuntimeError(f"fault of {truth}")
        return {"bytes": len(body), "id": context.request_id()}


def keep_what_is_there() -> None:
    """Seed the fault: the context of a request is added to what it began with instead of replacing it."""
    replace = context.replace
    context.replace = lambda fields: replace({**fields, **context.current()})


def main() -> None:
    """Serve it."""
    settings = load_settings(_env_file=None)
    if "leaky" in sys.argv:
        keep_what_is_there()
    app = create_app(settings)
    add_endpoint(app)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), **server_options(settings) | {"loop": sys.argv[2]})


if __name__ == "__main__":
    main()
