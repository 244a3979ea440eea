"""Numbers that a process of ours tells about itself, without asking Prometheus for them."""

from app.stack.doctor.asking import NoAnswerError, ask, bearer
from app.stack.doctor.model import Scene


def own_samples(scene: Scene, component: str, name: str) -> dict[str, float]:
    """Labels as they are printed → value, of one metric; empty when the process does not answer."""
    try:
        answer = ask(f"{scene.stack.url(component)}/metrics", headers=bearer(scene.stack.secret("METRICS_TOKEN")))
    except NoAnswerError:
        return {}
    found = {}
    for line in answer.text.splitlines():
        series, _, value = line.rpartition(" ")
        if series == name or series.startswith(f"{name}{{"):
            found[series.removeprefix(name)] = float(value)
    return found
