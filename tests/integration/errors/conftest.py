"""The stack's own error tracker: a real Bugsink, and a mail inbox beside it."""

import pytest

from tests.support.bugsink import Bugsink
from tests.support.stack import RunningStack


@pytest.fixture(scope="session")
def tracker(stack: RunningStack) -> Bugsink:
    """Bugsink as `make up` makes it."""
    stack.need("error_tracker", "inbox")
    return Bugsink(stack)
