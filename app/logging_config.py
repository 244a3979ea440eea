"""The public name of the logging set-up: `from app.logging_config import configure_logging`.

After it, the standard library's loggers, structlog's and `get_logger`'s all
write the same JSON records. The work is done in `app.core.log_setup`.
"""

from app.core.log_setup import configure_logging

__all__ = ["configure_logging"]
