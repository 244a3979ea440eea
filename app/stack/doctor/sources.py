"""Grafana's data sources: what a person sees is what Grafana can read."""

import shutil
from typing import Any

from app.stack.doctor.asking import NoAnswerError, ask, ask_json
from app.stack.doctor.findings import note, ok, problem
from app.stack.doctor.model import Finding, Scene
from app.stack.doctor.running import unanswered
from app.stack.mode import Mode


def data_sources(scene: Scene) -> list[Finding]:
    """Each data source passes Grafana's own check. Where there is no Grafana, the other rows read as its data sources do."""
    if scene.mode is Mode.NATIVE and not shutil.which("grafana-server"):
        return note("No Grafana here; the rows logs, targets and traces read the stores as its data sources would.", "make preview")
    settings, url = scene.stack.settings, scene.stack.url("grafana")
    auth = (settings.grafana_admin_user, scene.stack.secret("GRAFANA_ADMIN_PASSWORD"))
    try:
        sources: list[dict[str, Any]] = ask_json(f"{url}/api/datasources", auth=auth)
    except NoAnswerError as error:
        if error.status in (401, 403):
            return problem(
                "Grafana refuses its administrator.",
                "GRAFANA_ADMIN_PASSWORD counts at the first start only; it was changed here or there afterwards.",
                "grafana-cli admin reset-admin-password, with the value of .env",
            )
        return unanswered(scene, "grafana", "Grafana does not answer: nobody sees a dashboard.", error)
    if not sources:
        return problem("Grafana has no data source.", "grafana/provisioning was not read: its log names the mistake.", "make up")
    found: list[Finding] = []
    for source in sources:
        found += _of_source(url, auth, source)
    return found or ok(f"{len(sources)} data sources answer through Grafana.")


def _of_source(url: str, auth: tuple[str, str], source: dict[str, Any]) -> list[Finding]:
    try:
        answer = ask(f"{url}/api/datasources/uid/{source['uid']}/health", auth=auth, seconds=20)
    except NoAnswerError as error:
        return problem(f"Grafana's check of {source['name']} did not end.", f"{error}.", "The row of that server says what is wrong.")
    if answer.is_success or answer.status_code == 404:  # 404: this kind has no check
        return []
    try:
        said = str(answer.json().get("message", ""))[:200]
    except ValueError:
        said = ""
    return problem(
        f"Grafana can't read the data source {source['name']}.",
        said or f"Its check answered {answer.status_code}.",
        "The row of that server says whether it answers; `make up` hands Grafana the present address and password.",
    )
