"""A simulated phone or browser, which stands in for the real clients: no device, no Flutter, no Firebase.

It keeps the protocol that the real ones keep against the backend and towards their own trackers, so that journeys
with a client in them can be played and both ends compared under one id:

    phone = SimulatedClient(app_url, dsn=client_events.dsn, crashlytics=crashlytics.url, token=token)
    action = phone.act("GET", "/api/feed", event_id="abc123")   # sends X-Event-ID and the bearer token
    action.status, action.event_id, phone.shown, phone.screen   # what came back, what the user sees
    phone.retry(action)                                         # the press of the button, logged, under the same id

On failure it reports to a Sentry-compatible server through an SDK client of its own (nothing is shared with the
process's SDK) with tag `event_id`, and to Crashlytics' stand-in with the same id. While it is offline both keep
their reports, and send them later with the time at which things happened.
"""

import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx
import sentry_sdk

from tests.support.client_reports import CrashlyticsClient, PatientTransport

TRY_AGAIN: Final = "Something went wrong. Try again."
OFFLINE: Final = "You are offline. You see what was loaded last."
SIGN_IN: Final = "Your session has expired. Sign in again."


class ApiError(Exception):
    """The backend's answer was a failure."""


@dataclass(frozen=True)
class Action:
    """One important action of the user, and what came of it."""

    method: str
    path: str
    event_id: str
    json: object = None
    status: int = 0
    """HTTP status; 0 when no answer came."""
    body: Any = None
    """The answer's JSON; what was loaded last when no answer came."""
    headers: dict[str, str] = field(default_factory=dict)


class SimulatedClient:
    """One app on one device, signed in when it has a token. Ids are UUID v4 unless the journey names one."""

    def __init__(
        self,
        backend: str,
        *,
        dsn: str = "",
        crashlytics: str = "",
        token: str = "",
        platform: str = "flutter",
        traces_sample_rate: float = 0.2,
        release: str = "nobet-client@1.0.0",
    ) -> None:
        """Empty addresses switch a tracker off: then nothing is sent there."""
        self.token = token
        self.screen = "home"
        self.shown: list[str] = []
        """Messages that the user saw, oldest first."""
        self._platform: Final = platform
        self._http: Final = httpx.Client(
            base_url=backend, timeout=30, trust_env=False, headers={"User-Agent": f"{platform}/1.0 (simulated)"}
        )
        self._loaded: dict[str, Any] = {}
        self._crashlytics: Final = CrashlyticsClient(crashlytics)
        self._sentry: Final = sentry_sdk.Client(
            dsn=dsn or None,
            environment="production",
            release=release,
            traces_sample_rate=traces_sample_rate,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            max_request_body_size="never",
            transport=PatientTransport,
        )

    # --- what the user does

    def act(self, method: str, path: str, *, event_id: str = "", json: object = None) -> Action:
        """Call the backend for an important action. Never raises: failures are shown to the user and reported."""
        ident = event_id or str(uuid.uuid4())
        with self._reporting(ident) as scope, sentry_sdk.start_transaction(op="ui.action", name=f"{method} {path}"):
            scope.add_breadcrumb(category="http", message=f"{method} {path}", level="info")
            try:
                answer = self._send(method, path, ident, json)
            except httpx.HTTPError as error:
                self._lost(ident, error)
                return Action(method, path, ident, json, body=self._loaded.get(path))
            action = Action(method, path, ident, json, answer.status_code, _json(answer), dict(answer.headers))
            self._judge(action)
        return action

    def retry(self, action: Action) -> Action:
        """The press of the try-again button: logged, then the same action under the same id."""
        self.log("Retry pressed", action.event_id)
        return self.act(action.method, action.path, event_id=action.event_id, json=action.json)

    def show_image(self, url: str, *, event_id: str = "") -> bool:
        """Fetch a picture. A failure is a toast and a logged error, and nothing else breaks."""
        ident = event_id or str(uuid.uuid4())
        with self._reporting(ident):
            try:
                self._http.get(url).raise_for_status()
            except httpx.HTTPError as error:
                self.shown.append("The picture could not be loaded.")
                self.log("Picture could not be loaded", ident)
                self.report_error(error, ident)
                return False
        return True

    def run(self, work: Callable[[], object], *, event_id: str = "", in_zone: bool = True) -> None:
        """Run code of the app under its global handlers: uncaught errors reach both trackers, those of the zone as fatal."""
        ident = event_id or str(uuid.uuid4())
        with self._reporting(ident), sentry_sdk.start_transaction(op="ui.load", name=getattr(work, "__name__", "work")):
            try:
                work()
            except Exception as error:
                self.report_error(error, ident, fatal=in_zone)

    # --- what it reports

    def headers(self, event_id: str) -> dict[str, str]:
        """What every request carries; WebSockets send the same with their handshake."""
        return {"X-Event-ID": event_id, **({"Authorization": f"Bearer {self.token}"} if self.token else {})}

    def log(self, text: str, event_id: str) -> None:
        """A log line for Crashlytics: a breadcrumb of the next error, and a record of its own."""
        self._crashlytics.log(text, event_id)

    def report_error(self, error: BaseException, event_id: str, *, fatal: bool = False) -> None:
        """captureException, and Crashlytics' recordError."""
        with self._reporting(event_id):
            sentry_sdk.capture_exception(error)
        self._crashlytics.record_error(error, "".join(traceback.format_exception(error)), event_id, fatal=fatal)

    def report_message(self, text: str, event_id: str, level: Literal["error", "warning", "info"] = "warning") -> None:
        """captureMessage, for what was handled."""
        with self._reporting(event_id):
            sentry_sdk.capture_message(text, level=level)

    def session_expired(self, event_id: str) -> None:
        """Go to the login page and say so in both trackers; also for a WebSocket that was closed for its token."""
        self.token, self.screen = "", "login"
        self.shown.append(SIGN_IN)
        self.report_message("Token expired", event_id)
        self.log("Token expired, user logged out", event_id)

    def socket_dropped(self, event_id: str, close_code: int, attempt: int) -> None:
        """Note the drop of a WebSocket, before it is opened again under the same id."""
        self.log(f"WebSocket dropped with {close_code}, attempt {attempt} to reconnect", event_id)

    # --- the network

    @property
    def online(self) -> bool:
        """Whether the device has a network."""
        return self._crashlytics.online

    @online.setter
    def online(self, value: bool) -> None:
        """Lose the network, or get it back; what was kept is sent then."""
        self._crashlytics.set_online(value)
        if isinstance(self._sentry.transport, PatientTransport):
            self._sentry.transport.set_online(value)

    def close(self) -> None:
        """Send what is pending, for a bounded time, and stop."""
        self._sentry.close(timeout=2)
        self._crashlytics.close()
        self._http.close()

    def _send(self, method: str, path: str, ident: str, json: object) -> httpx.Response:
        if not self.online:
            raise httpx.ConnectError("no network")
        return self._http.request(method, path, json=json, headers=self.headers(ident))

    def _lost(self, ident: str, error: httpx.HTTPError) -> None:
        self.shown.append(OFFLINE if not self.online else TRY_AGAIN)
        self.log(f"No answer: {type(error).__name__}", ident)
        self.report_error(error, ident)

    def _judge(self, action: Action) -> None:
        status, what = action.status, f"{action.method} {action.path}"
        if status < 400:
            if action.method == "GET":
                self._loaded[action.path] = action.body
            return
        code = action.body.get("code") if isinstance(action.body, dict) else None
        if status == 401:
            self.session_expired(action.event_id)
            return
        self.shown.append(TRY_AGAIN)
        self.log(f"{what} answered {status}" + (f" ({code})" if code else ""), action.event_id)
        if status >= 500:
            self.report_error(ApiError(f"{what} answered {status}"), action.event_id)
        elif status == 404:
            self.report_message(f"{what} answered 404", action.event_id)

    @contextmanager
    def _reporting(self, event_id: str) -> Iterator[sentry_sdk.Scope]:
        """Everything reported inside goes through this client's own SDK client, with the id as tag."""
        with sentry_sdk.isolation_scope() as scope:
            sentry_sdk.get_current_scope().set_client(self._sentry)
            scope.set_tag("event_id", event_id)
            scope.set_tag("platform", self._platform)
            yield scope


def _json(answer: httpx.Response) -> Any:
    with suppress(ValueError):
        return answer.json()
    return None
