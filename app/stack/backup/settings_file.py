"""The `.env` of a backup on the machine that takes it over."""

import re
from typing import Final

OF_THE_MACHINE: Final = ("STACK_DIR", "STACK_CACHE_DIR", "STACK_PORT_OFFSET", "BACKUP_DIR")
"""Settings that say where things are on one machine: the other one's would be wrong here."""

_LINE: Final = re.compile(rf"^\s*(?:export\s+)?({'|'.join(OF_THE_MACHINE)})\s*=.*\n?", re.MULTILINE)


def merged(saved: str, present: str) -> str:
    """The saved text with this machine's own places, where it has any, in the stead of the saved ones."""
    kept = "".join(match[0].rstrip("\n") + "\n" for match in _LINE.finditer(present))
    text = _LINE.sub("", saved)
    glue = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{glue}{kept}"
