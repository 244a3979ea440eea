"""structlog's loggers write the same records as all others.

The library takes 6 MiB and a fifth of a second, so nobody carries it who doesn't use it: it is set up in the moment
in which an application imports it, or at once where that was before.
"""

import importlib
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from app.core.pipeline import as_text
from app.core.standard_loggers import use_quick_loggers

_NAME: Final = "structlog"
_ADDED_BY_STRUCTLOG: Final = frozenset({"logger", "level", "timestamp", "exc_info", "stack_info", "positional_args"})
_UNSAFE: Final = re.compile(r"^(?:name|msg|args|message|asctime|module|filename|lineno|process|thread)$")


def bridge_structlog() -> None:
    """From now on structlog writes into the pipeline, whether it has been imported already or will be."""
    if _NAME in sys.modules:
        _configure()
    elif not any(isinstance(finder, _Waiting) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Waiting())


class _Waiting(MetaPathFinder):
    """Stands in the way of the import for once, and has structlog configured when it is there."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != _NAME:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = spec.loader if spec else None
        if loader is not None:
            run = loader.exec_module

            def run_and_configure(module: ModuleType) -> None:
                run(module)
                _configure()

            loader.exec_module = run_and_configure
        return spec


def _configure() -> None:
    structlog: Any = importlib.import_module(_NAME)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _to_standard_record,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    use_quick_loggers()  # structlog's factory has just put its own class in their place


def _to_standard_record(_logger: Any, _method: str, event: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The last processor: hands event and fields to the standard logger, whose handler makes the JSON."""
    message = event.pop("event", "")
    exc_info = event.get("exc_info")
    fields = {f"{key}_" if _UNSAFE.match(key) else key: value for key, value in event.items() if key not in _ADDED_BY_STRUCTLOG}
    return (as_text(message),), {"extra": fields, "exc_info": exc_info}
