"""Something in every store of a stack, to be found again."""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from tests.compose.containers import ANSWER_SECONDS, Containers
from tests.support.stores import Stores
from tests.support.users import registered, sign_in
from tests.support.waiting import wait_until

ARRIVAL_SECONDS: Final = 180
_REDIS: Final = 'REDISCLI_AUTH="$(cat /run/secrets/redis_password)" redis-cli '


class Keepsakes:
    """One thing of ours in each store: written once, looked for as often as one likes."""

    def __init__(self, stack: Containers, requests: int = 20) -> None:
        """Writes them. `requests` is how many records are on their way when this returns, most of them still in the spool."""
        self._stack: Final = stack
        self._stores: Final = Stores(stack)
        self._mark: Final = uuid.uuid4().hex[:12]
        with httpx.Client(base_url=stack.url("app"), timeout=ANSWER_SECONDS) as app:
            self._user: Final = registered(app)[0]
            self._requests: Final = [f"{self._mark}-{place}" for place in range(requests)]
            for ident in self._requests:
                app.get("/feed", headers={"X-Event-ID": ident}).raise_for_status()
        self._in_redis("set", self._mark, "here")
        self._silence: Final = self._silenced()
        wait_until("a sample of the app", lambda: self._stores.query('up{job="app"} == 1'), ARRIVAL_SECONDS)
        self._moment: Final = time.time()
        wait_until("a trace", lambda: "app" in self._services(), ARRIVAL_SECONDS)

    def check(self, *, killed: bool = False) -> None:
        """Everything is there, nothing is there twice. Raises AssertionError with what is not.

        After a kill the silence may be gone: Alertmanager writes silences when it ends and every minute.
        """
        for what, probe in self._probes().items():
            if killed and "silence" in what:
                continue
            wait_until(f"{what} of {self._mark} being found again", probe, ARRIVAL_SECONDS)
        assert self.doubled() == 0

    def doubled(self) -> int:
        """Documents of our requests that are stored more than once."""
        ends = [record["request_id"] for record in self._ends()]
        return len(ends) - len(set(ends))

    def is_unknown_to(self, other: Containers) -> bool:
        """Whether the user of this stack is nobody in another one."""
        return not self._signs_in(other)

    def _probes(self) -> Mapping[str, Callable[[], object]]:
        return {
            "each record in Elasticsearch": lambda: {record["request_id"] for record in self._ends()} == set(self._requests),
            "the traces": lambda: "app" in self._services(),
            "the user in PostgreSQL": self._signs_in,
            "the key in Redis": lambda: self._in_redis("get", self._mark) == "here",
            "the sample in Prometheus": self._remembers,
            "the silence in Alertmanager": lambda: self._stack.ask("alertmanager", f"/api/v2/silence/{self._silence}").is_success,
        }

    def _ends(self) -> list[dict[str, str]]:
        wanted = {"bool": {"filter": [{"prefix": {"request_id": self._mark}}, {"term": {"event": "http.request.completed"}}]}}
        return self._stores.logs(wanted)

    def _signs_in(self, to: Containers | None = None) -> bool:
        with httpx.Client(base_url=(to or self._stack).url("app"), timeout=ANSWER_SECONDS) as app:
            return sign_in(app, self._user).is_success

    def _in_redis(self, *command: str) -> str:
        return self._stack.compose("exec", "-T", "redis", "sh", "-c", _REDIS + " ".join(command)).strip()

    def _remembers(self) -> bool:
        params = {"query": 'up{job="app"}', "time": str(self._moment)}
        return bool(self._stack.ask("prometheus", "/api/v1/query", params=params).json()["data"]["result"])

    def _silenced(self) -> str:
        matcher = {"name": "alertname", "value": self._mark, "isRegex": False}
        times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
        body = {"matchers": [matcher], **times, "createdBy": "tests", "comment": "kept"}
        answer = httpx.post(f"{self._stack.url('alertmanager')}/api/v2/silences", json=body, timeout=ANSWER_SECONDS)
        return str(answer.raise_for_status().json()["silenceID"])

    def _services(self) -> list[str]:
        return list(self._stack.ask("jaeger_ui", "/api/services").json()["data"] or [])
