"""GraphQL over HTTP.

Statuses: 200 as long as there is data, also when a part of it failed and
`errors` says so. Without data it is what the first error says: 400 for a
document or an argument that is no good, 401, 503 when overloaded, 500 when we
failed, so that failures show in the same metrics and alerts as everywhere else.
"""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from graphql import GraphQLError
from pydantic import BaseModel, Field
from strawberry.exceptions import StrawberryException
from strawberry.http.ides import get_graphql_ide_html
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from app.api import records
from app.api.auth_failures import NotSignedInError
from app.api.deps import OptionalUserDep, ResourcesDep
from app.api.errors import NEEDS_TOKEN, RETRY_AFTER_SECONDS, ErrorAnswer, report_once
from app.api.graphql_schema import BadArgumentError, GraphQLContext, make_schema
from app.core import context
from app.core.config import Settings
from app.db.errors import DatabaseBusyError

LONGEST_DOCUMENT: Final = 10_000

STATUSES: Final = {"BAD_REQUEST": 400, "UNAUTHENTICATED": 401, "OVERLOADED": 503, "INTERNAL": 500}
"""Status of an answer without data, by the code of its first error."""


HEADERS: Final = {"UNAUTHENTICATED": {"WWW-Authenticate": "Bearer"}, "OVERLOADED": {"Retry-After": RETRY_AFTER_SECONDS}}


class GraphQLRequest(BaseModel):
    """A document, and what to do with it."""

    query: str = Field(min_length=1, max_length=LONGEST_DOCUMENT, examples=["query Home { feed(limit: 5) { posts { id title } } }"])
    variables: dict[str, Any] | None = Field(None, examples=[None])
    operationName: str | None = Field(  # noqa: N815 - the name that GraphQL over HTTP gives it
        None, max_length=200, description="Which operation, where the document has several.", examples=["Home"]
    )


class GraphQLFailure(BaseModel):
    """One thing that went wrong."""

    message: str
    path: list[str | int] | None = None
    extensions: dict[str, str | None] = Field(description="`code`: BAD_REQUEST, UNAUTHENTICATED, OVERLOADED or INTERNAL; `request_id`.")


class GraphQLAnswer(BaseModel):
    """What came of it."""

    data: dict[str, Any] | None
    errors: list[GraphQLFailure] | None = None


class GraphQLRefusal(GraphQLAnswer, ErrorAnswer):
    """No data; said in GraphQL's way and in that of all our failures."""

    errors: list[GraphQLFailure] = Field(default_factory=list)  # type: ignore[assignment]


NO_DATA: Final[dict[int | str, dict[str, Any]]] = {
    400: {
        "model": GraphQLRefusal | ErrorAnswer,
        "description": "The body, the document or an argument is no good, or the query is too big.",
    },
    401: {"model": GraphQLRefusal | ErrorAnswer, "description": "The token is missing where one is needed, too old, or wrong."},
    500: {"model": GraphQLRefusal, "description": "A resolver failed and nothing is left of the data."},
    503: {"model": GraphQLRefusal, "description": "Overloaded; `Retry-After` says when to try again."},
}


def graphql_router(settings: Settings) -> APIRouter:
    """The endpoint; in development with GraphiQL, a page to try it out, whose scripts come from the internet."""
    router = APIRouter(prefix="/graphql", tags=["graphql"])
    schema = make_schema(introspection=settings.is_trial)

    @router.post("", responses=NEEDS_TOKEN | NO_DATA, response_model=GraphQLAnswer)
    async def graphql(request: Request, resources: ResourcesDep, user: OptionalUserDep, body: GraphQLRequest) -> JSONResponse:
        """Read the feed (`feed`, `post`) or store a post (`createPost`, needs a token)."""
        try:
            result = await schema.execute(
                body.query,
                variable_values=body.variables,
                context_value=GraphQLContext(resources, user),
                operation_name=body.operationName,
            )
            data, errors = result.data, result.errors or []
        except (StrawberryException, CannotGetOperationTypeError, InvalidOperationTypeError) as error:
            data, errors = None, [GraphQLError(str(error))]
        return _answer(request, data, [_failure(error) for error in errors])

    if settings.environment == "development":

        @router.get("", include_in_schema=False)
        async def graphiql() -> HTMLResponse:
            """The page to try it out."""
            return HTMLResponse(get_graphql_ide_html("graphiql"))

    return router


def _failure(error: GraphQLError) -> tuple[GraphQLError, str, str]:
    """An error, its code, and what may be said about it. Counts and logs it."""
    cause = error.original_error
    if cause is None or isinstance(cause, (BadArgumentError, GraphQLError)):
        code, message = "BAD_REQUEST", str(cause) if isinstance(cause, BadArgumentError) else error.message
        records.graphql_refused("document" if cause is None else "argument")
    elif isinstance(cause, NotSignedInError):
        code, message = "UNAUTHENTICATED", cause.detail
    elif isinstance(cause, DatabaseBusyError):
        code, message = "OVERLOADED", "The service is overloaded. Try again shortly."
    else:
        code, message = "INTERNAL", "Internal Server Error"
        records.graphql_failed(cause)
    records.graphql_error(code.lower())
    return error, code, message


def _answer(request: Request, data: dict[str, Any] | None, failures: list[tuple[GraphQLError, str, str]]) -> JSONResponse:
    ident = context.request_id()
    body: dict[str, Any] = {"data": data}
    if failures:
        body["errors"] = [
            {"message": message, "path": error.path, "extensions": {"code": code, "request_id": ident}} for error, code, message in failures
        ]
        if any(code in ("INTERNAL", "OVERLOADED") for _, code, _ in failures):
            report_once(request)
    if data is not None or not failures:
        records.graphql_completed("failure" if failures else "success")
        return JSONResponse(body)
    _, code, message = failures[0]
    return JSONResponse({"detail": message, "request_id": ident, **body}, STATUSES[code], HEADERS.get(code))
