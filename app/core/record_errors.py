"""What a record says about an exception: class, masked message, place, and the stack where it is wanted."""

import sys
import traceback
from types import TracebackType
from typing import Any

from app.core.masking import mask_text
from app.core.records import printable

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def add_error(record: dict[str, Any], exc: BaseException, *, with_traceback: bool) -> None:
    """Class, masked message and place of an exception; the stack too when asked for."""
    record["error_type"] = type(exc).__name__
    record["error_message"] = mask_text(printable(exc))
    place = error_location(exc)
    if place:
        record["error_location"] = place
    if with_traceback:
        record["traceback"] = format_traceback(exc)


def error_location(exc: BaseException) -> str:
    """Where it was raised: `file:line in function`."""
    step = exc.__traceback__
    if step is None:
        return ""
    while step.tb_next is not None:
        step = step.tb_next
    code = step.tb_frame.f_code
    return f"{code.co_filename.rpartition('/app/')[2] or code.co_filename}:{step.tb_lineno} in {code.co_name}"


def format_traceback(exc: BaseException) -> str:
    """The stack, masked, without local values."""
    try:
        return mask_text("".join(traceback.format_exception(exc)))
    except Exception:  # noqa: BLE001 (formatting calls the exception's own __str__)
        return f"<traceback of {type(exc).__name__} can't be printed>"


def resolve_exc_info(exc_info: object) -> BaseException | None:
    """The exception that `exc_info` stands for: an instance, a triple, or True for the one being handled."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) > 1 and isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None
