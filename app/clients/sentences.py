"""Errors of the Elasticsearch client as sentences, in one place for every store that people ask through."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from elasticsearch import ApiError, TransportError


class Explaining(Protocol):
    """A store that knows what to say about a failed request."""

    def sentence(self, error: ApiError | TransportError) -> Exception:
        """What to do about an error of the client's."""


_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")
_Self = TypeVar("_Self", bound=Explaining)


def in_sentences(method: Callable[Concatenate[_Self, _Args], _Result]) -> Callable[Concatenate[_Self, _Args], _Result]:
    """Turn the client's exceptions into the store's own."""

    @wraps(method)
    def ask(self: _Self, /, *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        try:
            return method(self, *args, **kwargs)
        except (ApiError, TransportError) as error:
            raise self.sentence(error) from None

    return ask
