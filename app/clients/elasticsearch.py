"""Connections to Elasticsearch through its official client.

The client's own retries are off: whoever calls decides what to repeat, because
only the caller knows what may be sent twice. Its chatter is kept out of our logs:
a record about every request to the log store would be shipped by another request.
"""

import gzip
import logging
import os
from typing import Any, Final, Literal

from elastic_transport import ConnectionTimeout, Serializer
from elastic_transport import TransportError as _TransportError
from elasticsearch import ApiError, AuthenticationException, AuthorizationException, Elasticsearch, TransportError

from app.core.config import Settings

BasicAuth = tuple[str, str]
Role = Literal["admin", "shipper", "reader", "cleanup"]

ACTION_NDJSON: Final = "application/vnd.elasticsearch+x-ndjson; compatible-with=8"
ANSWER_JSON: Final = "application/vnd.elasticsearch+json; compatible-with=8"
BULK_ANSWER: Final = "errors,error,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by"
"""All that we need of a bulk answer; without this filter it is about as long as the request."""


class UnreachableError(Exception):
    """No answer: the connection failed or broke."""


class NoAnswerInTimeError(UnreachableError):
    """No answer in time. The request may have been carried out all the same."""


def sign_in(settings: Settings, role: Role) -> BasicAuth | None:
    """User and password for a role: its own when set, else what ELASTICSEARCH_USERNAME says, else none."""
    passwords = {
        "admin": settings.elasticsearch_admin_password,
        "shipper": settings.elasticsearch_shipper_password,
        "reader": settings.elasticsearch_reader_password,
        "cleanup": settings.elasticsearch_cleanup_password,
    }
    own = passwords[role].get_secret_value()
    if own:
        return f"nobet_{role}", own
    if settings.elasticsearch_username:
        return settings.elasticsearch_username, settings.elasticsearch_password.get_secret_value()
    return None


def connect(url: str, auth: BasicAuth | None, *, timeout: float = 10) -> Elasticsearch:
    """A client for set-up and look-ups. `timeout` in seconds for each request."""
    _quieten()
    return Elasticsearch(url, basic_auth=auth, request_timeout=timeout, max_retries=0, retry_on_timeout=False)


def explain(error: ApiError | TransportError, url: str, setting: str) -> str:
    """One sentence about a failed request, for people; `setting` holds the password that was used."""
    if isinstance(error, AuthenticationException | AuthorizationException):
        return f"Elasticsearch at {url} refuses the credentials or the right. Check {setting} and docker/elasticsearch/roles.yml."
    if isinstance(error, ApiError):
        return f"Elasticsearch at {url} refused: {error.meta.status} {error.message}. Its log says why."
    return f"Elasticsearch at {url} is not reachable ({type(error).__name__}). Start it, or check ELASTICSEARCH_URL."


class BulkClient:
    """Sends ready-made bulk bodies and hands the answers back as they came."""

    def __init__(self, url: str, auth: BasicAuth | None, *, timeout: float, connections: int, compress: bool = False) -> None:
        """`timeout` in seconds for each request; `connections` is how many threads will send at once; `compress` sends gzip."""
        _quieten()
        untouched = {mimetype: _Untouched() for mimetype in ("application/json", _bare(ACTION_NDJSON), _bare(ANSWER_JSON), "text/*")}
        client = Elasticsearch(
            url,
            connections_per_node=connections,
            request_timeout=timeout,
            max_retries=0,
            retry_on_timeout=False,
            serializers=untouched,
        )
        self._anonymous = client.options(ignore_status=range(300, 600))
        self._client = self._anonymous
        self._compress = compress
        self._headers = {"accept": ANSWER_JSON, "content-type": ACTION_NDJSON} | ({"content-encoding": "gzip"} if compress else {})
        self.sign_in(auth)

    def sign_in(self, auth: BasicAuth | None) -> None:
        """Use these credentials from now on."""
        self._client = self._anonymous.options(basic_auth=auth) if auth else self._anonymous

    def send(self, index: str, body: bytes) -> tuple[int, bytes]:
        """HTTP status and body of the answer. Raises UnreachableError or NoAnswerInTimeError; never repeats a request."""
        try:
            answer = self._client.perform_request(
                "POST",
                f"/{index}/_bulk",
                params={"filter_path": BULK_ANSWER},
                headers=self._headers,
                body=_gzip(body) if self._compress else body,
            )
        except ConnectionTimeout as error:
            raise NoAnswerInTimeError(str(error)) from None
        except _TransportError as error:
            raise UnreachableError(str(error)) from None
        return answer.meta.status, answer.body or b""

    def close(self) -> None:
        """Close the connections."""
        self._anonymous.close()


class _Untouched(Serializer):
    """Passes bytes through in both directions: bodies come ready, and most answers need no more than a look."""

    def loads(self, data: bytes) -> bytes:
        return data

    def dumps(self, data: Any) -> bytes:
        if not isinstance(data, bytes):
            raise TypeError("the body must be bytes")
        return data


def _gzip(body: bytes) -> bytes:
    """Level 1: a tenth of the length for records; level 6 costs twice as much and gains little."""
    return gzip.compress(body, 1, mtime=0)


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0]


def _quieten() -> None:
    """Before the first client is made: no records and no spans about requests to the log store."""
    os.environ.setdefault("OTEL_PYTHON_INSTRUMENTATION_ELASTICSEARCH_ENABLED", "false")
    for name in ("elastic_transport", "elasticsearch", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
