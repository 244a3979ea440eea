"""The way of a log record: app → spool → shipper → Elasticsearch → whoever reads there."""

import datetime as dt
import os
import time
from typing import Any, Final

from app.clients.log_search import Found, LogSearch, SearchError
from app.core.config import Settings
from app.core.spool_files import SUFFIX
from app.stack.doctor.asking import NoAnswerError, ask, ask_json
from app.stack.doctor.counters import own_samples
from app.stack.doctor.errand import PAUSE_SECONDS, Errand
from app.stack.doctor.findings import ok, problem
from app.stack.doctor.model import Finding, Scene
from app.stack.doctor.running import log_of, unanswered
from app.stack.environment import client_environment
from app.stack.mode import Mode

_BLOCKS: Final = ("index.blocks.read_only_allow_delete", "index.blocks.write", "index.blocks.read_only")


def log_path(scene: Scene, errand: Errand) -> list[Finding]:
    """Whether the record of the errand is found; else the first place on its way that does not work."""
    if errand.problem:
        return unanswered(scene, "app", "No request could be sent to the app, so no record was written.", errand.problem)
    settings = client_settings(scene)
    try:
        found = _awaited(settings, errand)
    except SearchError:
        return _store(scene, settings) or problem(
            "Elasticsearch can't be searched.", "It answers other questions; its log says why.", log_of(scene, "elasticsearch")
        )
    if found.records:
        return ok(f"The request's record was found in Elasticsearch {time.monotonic() - errand.sent:.1f} s later, as nobet_reader.")
    if found.dead_letters:
        letter = found.dead_letters[0]
        return problem(
            "Elasticsearch refused the request's record for good.",
            f"It is a dead letter: {str(letter.get('reason_detail') or letter.get('reason') or 'its reason is with it')[:200]}",
            f"nobet dead-letters show {letter.get('_id', '')}; when the cause is gone: nobet dead-letters replay",
        )
    return _store(scene, settings) or _blocked(scene, settings) or _shipper(scene) or _spool(scene, errand)


def client_settings(scene: Scene) -> Settings:
    """The settings with the addresses of this stack."""
    urls = {name.lower(): value for name, value in client_environment(scene.stack).items() if name.endswith("_URL")}
    return scene.stack.settings.model_copy(update=urls)


def _awaited(settings: Settings, errand: Errand) -> Found:
    search = LogSearch(settings)
    try:
        while True:
            found = search.by_ids([errand.ident], 5)
            if found.records or found.dead_letters or time.monotonic() > errand.deadline:
                return found
            time.sleep(PAUSE_SECONDS)
    finally:
        search.close()


def _store(scene: Scene, settings: Settings) -> list[Finding]:
    """What is wrong with Elasticsearch itself; nothing when it answers its reader."""
    auth = ("nobet_reader", settings.elasticsearch_reader_password.get_secret_value())
    try:
        health = ask_json(f"{settings.elasticsearch_url}/_cluster/health", auth=auth)
    except NoAnswerError as error:
        if error.status in (401, 403):
            return problem(
                "Elasticsearch refuses nobet_reader.",
                "Its password in .env is not the one that Elasticsearch was started with.",
                "`make up` hands out the present passwords again.",
            )
        return unanswered(scene, "elasticsearch", "Elasticsearch does not answer; records wait in the spool.", error)
    if health.get("status") == "red":
        return problem(
            "Elasticsearch is red: parts of indices have no place.",
            f"{health.get('unassigned_shards', '?')} shards are unassigned: its data was damaged, or the disk is full.",
            f"Its log names them: {log_of(scene, 'elasticsearch')}; make room, or bring back a backup: nobet restore newest",
        )
    return []


def _blocked(scene: Scene, settings: Settings) -> list[Finding]:
    """An index that takes no records."""
    index = f"{settings.log_index_prefix}-{dt.datetime.now(dt.UTC):%Y.%m.%d}"
    auth = ("nobet_admin", scene.stack.secret("ELASTICSEARCH_ADMIN_PASSWORD"))
    try:
        answer: dict[str, Any] = ask_json(f"{settings.elasticsearch_url}/{index}/_settings?flat_settings=true", auth=auth)
    except NoAnswerError:
        return []
    held = sorted({name for entry in answer.values() for name in _BLOCKS if str(entry["settings"].get(name, "")).lower() == "true"})
    if not held:
        return []
    by_disk = held == ["index.blocks.read_only_allow_delete"]
    return problem(
        f"The index {index} takes no records: {', '.join(held)} is set.",
        "Elasticsearch set it when the disk was full." if by_disk else "Somebody set it, or a cleanup was interrupted.",
        ("Make room; Elasticsearch then takes the block off by itself. " if by_disk else "Take it off as nobet_admin: ")
        + f'PUT /{index}/_settings {{"{held[0]}": null}}',
    )


def _shipper(scene: Scene) -> list[Finding]:
    """What keeps the shipper from delivering."""
    try:
        answer = ask(f"{scene.stack.url('shipper')}/health")
    except NoAnswerError as error:
        return unanswered(scene, "shipper", "The shipper does not answer; records wait in the spool.", error)
    try:
        checks = answer.json().get("checks", {})
    except ValueError:
        checks = {}
    if str(checks.get("sign_in", "ok")) != "ok":
        return problem(
            "The shipper waits: Elasticsearch refuses its credentials.",
            "ELASTICSEARCH_SHIPPER_PASSWORD is not the one that Elasticsearch was started with.",
            "`make up` hands out the present passwords again; nothing is lost meanwhile.",
        )
    bad = {name: state for name, state in checks.items() if state != "ok"}
    if bad:
        told = "; ".join(f"{name}: {state}" for name, state in bad.items())
        return problem("The shipper runs and does not deliver.", f"It says: {told}.", f"Its log says more: {log_of(scene, 'shipper')}")
    return []


def _spool(scene: Scene, errand: Errand) -> list[Finding]:
    """Whether the record was written at all."""
    folder = scene.stack.paths.spool
    if scene.mode is Mode.NATIVE and not os.access(folder, os.W_OK | os.X_OK):
        return problem(
            "The app can't write its records.",
            f"{folder} is missing or belongs to another user.",
            f"Make it: mkdir -m 700 {folder}; then `make up`.",
        )
    dropped = _dropped(scene)
    if dropped:
        return problem(
            "The app could not put records into the spool.",
            f"It counts {', '.join(dropped)}: the disk was full, or the spool reached SPOOL_MAX_BYTES.",
            "Make room, and let the shipper catch up; `nobet doctor` again.",
        )
    if scene.mode is Mode.NATIVE and _is_in_spool(scene, errand.ident):
        return problem(
            "The record is in the spool and not yet in Elasticsearch.",
            "The shipper is behind: more is written than is delivered.",
            "The metric shipper_backlog_records tells whether it gets less. SHIPPER_CONNECTIONS and SHIPPER_BATCH_DOCS make it faster.",
        )
    return problem(
        "The request's record is neither in the spool nor in Elasticsearch.",
        "The app writes its records elsewhere (SPOOL_DIR), writes none (LOG_LEVEL, LOG_SAMPLE_RATE), or the search lags.",
        f"Compare SPOOL_DIR and LOG_LEVEL of the app with those of the shipper; its log: {log_of(scene, 'app')}",
    )


def _dropped(scene: Scene) -> list[str]:
    """The app's counters of records that never reached the spool, where they are not 0."""
    return [f"{name} {value:.0f}" for name, value in own_samples(scene, "app", "log_records_dropped_total").items() if value > 0]


def _is_in_spool(scene: Scene, ident: str) -> bool:
    wanted = ident.encode()
    return any(wanted in path.read_bytes() for path in scene.stack.paths.spool.glob(f"*{SUFFIX}"))
