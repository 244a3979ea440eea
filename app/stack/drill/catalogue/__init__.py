"""All drills, in the order in which they run: the ones that cost least first. Add a module, list it here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.stack.drill.catalogue.api import API
from app.stack.drill.catalogue.host import HOST
from app.stack.drill.catalogue.logs import LOGS
from app.stack.drill.catalogue.meta import META
from app.stack.drill.catalogue.stores import STORES
from app.stack.drill.catalogue.voice import VOICE
from app.stack.drill.model import Drill

DRILLS: Final[tuple[Drill, ...]] = (*META, *HOST, *STORES, *LOGS, *API, *VOICE)

UNPROVABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ApiTrafficVanished": "it compares with the week before, and a stack that is made for the drill has none",
        "NodeOomKill": "the kernel would choose which process of the machine it kills",
        "NodeClockSkew": "the clock of the whole machine would have to be moved",
        "PrometheusWalCorruption": "measurements on disk would have to be damaged, and Prometheus counts it while it starts",
    }
)
"""Rules that no drill provokes, with the reason. They fail a whole run all the same."""
