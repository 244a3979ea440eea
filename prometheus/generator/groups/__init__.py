"""All groups of rules, in the order of the runbook. Add a module, list it here."""

from typing import Final

from prometheus.generator.groups.api import API
from prometheus.generator.groups.backups import BACKUPS
from prometheus.generator.groups.errors import ERRORS
from prometheus.generator.groups.host import HOST
from prometheus.generator.groups.logs import LOGS
from prometheus.generator.groups.meta import META
from prometheus.generator.groups.oncall import ONCALL
from prometheus.generator.groups.recording import RECORDING
from prometheus.generator.groups.security import SECURITY
from prometheus.generator.groups.slo import SLO, SLO_EVENTS, SLO_LONG, SLO_OBJECTIVES, SLO_SAMPLES, SLO_WINDOWS
from prometheus.generator.groups.stores import STORES
from prometheus.generator.groups.uptime import UPTIME
from prometheus.generator.groups.voice import VOICE
from prometheus.generator.model import Group

GROUPS: Final[tuple[Group, ...]] = (
    *(RECORDING, SLO_EVENTS, SLO_OBJECTIVES, SLO_WINDOWS, SLO_SAMPLES, SLO_LONG, SLO),
    *(API, UPTIME, VOICE, SECURITY, HOST, LOGS, BACKUPS, ERRORS, STORES, ONCALL, META),
)
