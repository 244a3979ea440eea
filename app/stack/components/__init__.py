"""The table of everything that the native stack can run."""

from typing import Final

from app.stack.components.data import DATA
from app.stack.components.errors import ERRORS
from app.stack.components.gateway import GATEWAY
from app.stack.components.metrics import METRICS
from app.stack.components.own import OWN
from app.stack.model import Component

COMPONENTS: Final[dict[str, Component]] = {component.name: component for component in (*DATA, *ERRORS, *METRICS, *OWN, *GATEWAY)}
"""Every component by name, in the order in which tables list them."""
