"""What of the stack runs now, in either mode."""

from app.stack.compose import compose_status
from app.stack.doctor.asking import NoAnswerError
from app.stack.doctor.findings import problem
from app.stack.doctor.model import Finding, Scene
from app.stack.mode import Mode
from app.stack.supervisor import Supervisor


def runs(scene: Scene) -> frozenset[str]:
    """Names of the components whose process or container runs. Raises StackError when Docker can't be asked."""
    if scene.mode is Mode.NATIVE:
        return frozenset(name for name, process in Supervisor(scene.stack.paths).processes().items() if process.pid)
    return frozenset(
        str(service["Service"]).replace("-", "_") for service in compose_status(scene.stack) if service.get("State") == "running"
    )


def start_again(scene: Scene, component: str) -> str:
    """The command that starts a component, whatever its state."""
    if scene.mode is Mode.NATIVE:
        return f"nobet up {component}"
    return f"docker compose up -d {_service_name(component)}"


def restart(scene: Scene, component: str) -> str:
    """The command that ends a component's process and starts another."""
    if scene.mode is Mode.NATIVE:
        return f"nobet down {component} && nobet up {component}"
    return f"docker compose restart {_service_name(component)}"


def log_of(scene: Scene, component: str) -> str:
    """Where a component's own words are."""
    if scene.mode is Mode.NATIVE:
        return str(scene.stack.paths.log_file(component))
    return f"docker compose logs {_service_name(component)}"


def _service_name(component: str) -> str:
    """The name in docker-compose.yml."""
    return {"inbox": "mailpit", "blackbox": "blackbox-exporter"}.get(component, component.replace("_", "-"))


def unanswered(scene: Scene, component: str, what: str, error: NoAnswerError) -> list[Finding]:
    """The problem that a server does not answer: one that is not there is started, one that hangs is started anew."""
    reason = str(error)
    return problem(what, f"{reason[:1].upper()}{reason[1:]}.", start_again(scene, component) if error.absent else restart(scene, component))
