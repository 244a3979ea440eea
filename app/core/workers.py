"""A worker whose end its parent sees at once.

uvicorn's parent asks each worker for a sign of life through a pipe, and keeps
both ends of the pipe open itself. When a worker is killed between the question
and its answer, nobody ever answers and nobody hangs up: the parent waits for
its whole patience before it starts a new one, and serves with one worker less
for so long. Here the parent closes the worker's end; a dead worker is then a
closed pipe.
"""

from uvicorn.supervisors import multiprocess


class Worker(multiprocess.Process):
    """A worker process of uvicorn's; the pipe to it ends with it."""

    def start(self) -> None:
        """Start the process, and leave its end of the pipe to it alone."""
        super().start()
        self.child_conn.close()


def watch_closely() -> None:
    """Let uvicorn's supervisor use our workers. There is no setting for it; the name is looked up when a worker is made."""
    multiprocess.Process = Worker  # type: ignore[misc]
