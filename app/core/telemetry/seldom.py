"""Names of the contract that a healthy system with traffic does not emit: what must happen before they do.

Everything else is expected on a running stack with visitors, and the tests look for it there.
"""

from typing import Final

SELDOM: Final[dict[str, tuple[str, ...]]] = {}
"""What must happen → the metrics, log fields, events, tracked events and spans that come of it."""

CAUSES: Final[dict[str, str]] = {name: cause for cause, names in SELDOM.items() for name in names}
"""Each of these names and its cause."""
