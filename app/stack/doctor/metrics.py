"""The way of a measurement: metrics → targets → rules → Alertmanager."""

from collections.abc import Collection
from typing import Any

from app.stack.doctor.asking import NoAnswerError, ask_json
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Check, Finding, Scene
from app.stack.doctor.running import log_of, restart, runs, start_again, unanswered
from app.stack.targets import component_of_job


def metric_checks() -> tuple[Check, ...]:
    """In the order of the way."""
    return (Check("targets", "metrics", targets), Check("rules", "metrics", rules), Check("alerting", "metrics", alertmanagers))


def targets(scene: Scene) -> list[Finding]:
    """Prometheus reaches everything that it is to scrape, and knows something to scrape for every part that runs."""
    try:
        active = ask_json(f"{scene.stack.url('prometheus')}/api/v1/targets?state=active")["data"]["activeTargets"]
    except NoAnswerError as error:
        return _no_prometheus(scene, error)
    if not active:
        return problem(
            "Prometheus has nothing to scrape.",
            "The files under targets/ are empty or were not found.",
            "`make up` writes them again.",
        )
    down = [target for target in active if target["health"] == "down"]
    running = runs(scene) if any(_was_refused(target) for target in down) else frozenset()  # once: with containers Docker is asked
    found = [finding for target in down for finding in _of_target(scene, target, running)]
    return found or ok(f"{len(active)} targets in {len({target['labels']['job'] for target in active})} jobs, none is down.")


def rules(scene: Scene) -> list[Finding]:
    """Rules are loaded, can be evaluated, and are."""
    try:
        groups = ask_json(f"{scene.stack.url('prometheus')}/api/v1/rules")["data"]["groups"]
    except NoAnswerError as error:
        return _no_prometheus(scene, error)
    if not groups:
        return problem(
            "Prometheus has no rules, so no alert will ever come.",
            "rules/ is empty, or Prometheus could not read it and kept an older configuration.",
            f"`make up` writes them again; {log_of(scene, 'prometheus')} says what is wrong with them.",
        )
    found: list[Finding] = []
    for group in groups:
        for rule in group["rules"]:
            if rule.get("health") == "err":
                found += problem(
                    f"The rule {rule['name']} can't be evaluated.",
                    f"{str(rule.get('lastError', 'Prometheus says no reason'))[:200]}.",
                    "Correct it under prometheus/generator, then `make generate` and `make up`.",
                )
    found += _reload_failed(scene)
    return found or ok(f"{sum(len(group['rules']) for group in groups)} rules in {len(groups)} groups, all of them evaluated.")


def alertmanagers(scene: Scene) -> list[Finding]:
    """Prometheus has an Alertmanager to tell, and that one answers."""
    try:
        ask_json(f"{scene.stack.url('alertmanager')}/api/v2/status")
    except NoAnswerError as error:
        return unanswered(scene, "alertmanager", "Alertmanager does not answer, so alerts reach nobody.", error)
    try:
        active = ask_json(f"{scene.stack.url('prometheus')}/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    except NoAnswerError as error:
        return _no_prometheus(scene, error)
    if not active:
        return problem(
            "Prometheus knows no Alertmanager, so alerts reach nobody.",
            "targets/alertmanager.yml is empty, or Prometheus was started a moment ago.",
            "Run it again in a minute; `make up` writes the file again.",
        )
    return ok("Prometheus tells Alertmanager, which answers.")


def _no_prometheus(scene: Scene, error: NoAnswerError) -> list[Finding]:
    return unanswered(scene, "prometheus", "Prometheus does not answer: nothing is measured and no alert comes.", error)


def _was_refused(target: dict[str, Any]) -> bool:
    """Whether nobody listened there."""
    said = str(target.get("lastError", ""))
    return "connection refused" in said or "no such host" in said


def _of_target(scene: Scene, target: dict[str, Any], running: Collection[str]) -> list[Finding]:
    """One that is down: what its error means. `running` are the components whose process or container runs."""
    job, said = target["labels"]["job"], str(target.get("lastError", ""))
    component = component_of_job(job)
    what = f"The target {job} ({target['labels'].get('instance', target['scrapeUrl'])}) is down."
    if "401" in said or "403" in said:
        return problem(
            what,
            "It refuses the bearer token: METRICS_TOKEN changed, and not everybody has the new one.",
            "`make up` hands the present one to all.",
        )
    if _was_refused(target):
        if component in running:  # as in the first seconds after a start; one that runs and never listens is told by `processes`
            return note(f"{what} It runs: Prometheus asked before it listened.", "Wait 15 s for the next scrape.")
        return problem(what, f"Nothing listens there: {component} does not run.", start_again(scene, component))
    if "deadline exceeded" in said or "timeout" in said.lower():
        return problem(what, f"It took longer than the scrape's time limit: {component} hangs or is overloaded.", restart(scene, component))
    if "sample limit" in said or "sample_limit" in said:
        return problem(
            what, "It has more series than sample_limit allows: a label has too many values.", "`nobet story`, /metrics: find that label."
        )
    return problem(what, f"Prometheus says: {said[:200]}", f"Its log says more: {log_of(scene, component)}")


def _reload_failed(scene: Scene) -> list[Finding]:
    """Whether the last reading of the configuration failed: Prometheus goes on with the old one and says so only here."""
    try:
        query = "prometheus_config_last_reload_successful"
        answer = ask_json(f"{scene.stack.url('prometheus')}/api/v1/query?query={query}")["data"]["result"]
    except NoAnswerError:
        return []
    if not answer or answer[0]["value"][1] != "0":
        return []
    return problem(
        "Prometheus goes on with an old configuration.",
        "The new one has a mistake.",
        f"{log_of(scene, 'prometheus')} names the place; then `make up`.",
    )
