"""Business tasks that a call has done, such as a reservation. What the caller wants is never logged, how it ended is."""

from collections.abc import Mapping

from app.clients.calls import CallStages
from app.core import metrics
from app.core.logger import get_logger
from app.core.telemetry.metrics import TaskName
from app.domain.stages import StageFailedError, watched

log = get_logger(__name__)


async def execute_task(stages: CallStages, task: TaskName, details: Mapping[str, str]) -> str:
    """Have a task done; its confirmation number. Raises StageFailedError, after it was counted and its reason recorded."""
    executed = metrics.counter("tasks_executed_total")
    try:
        with watched("task") as watch:
            watch.span.set("task", task)
            confirmation = await stages.execute(task, details)
            duration = watch.milliseconds()
    except StageFailedError as error:
        executed.labels(task=task, status="failure").inc()
        log.warning("A business task failed", event="call.task_failed", task=task, outcome=error.outcome, reason=error.code)
        raise
    executed.labels(task=task, status="success").inc()
    log.info("A business task was executed", event="call.task_completed", task=task, outcome="success", duration_ms=duration)
    return confirmation
