"""rsyslog with imfile and omelasticsearch, from Debian's packages, tuned: batches of 4,000, two workers, `create` with ids."""

import time
from pathlib import Path
from typing import Final

from app.stack.errors import StackError
from app.stack.install import apt
from app.stack.model import Apt
from app.stack.paths import CHECKOUT
from bench.peers import environment
from bench.shipping.clients.protocol import BATCH_DOCS, CONNECTIONS
from bench.shipping.shippers import START_SECONDS, Shipper, ShipperError

PACKAGES: Final = Apt(("rsyslog", "rsyslog-elasticsearch"), "usr/sbin/rsyslogd")
STALLED_SECONDS: Final = 30.0
"""Without one more document in this time it has stopped for good."""

CONFIGURATION: Final = """
global(workDirectory="{folder}/work" maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
# The line as it is, and an id of file and offset as our shipper makes it.
template(name="line" type="string" string="%msg%")
template(name="ident" type="string" string="%$!metadata!filename:R,ERE,1,BLANK:.*/app[.](.*)[.]ndjson$--end%-%$!metadata!fileoffset%")
template(name="index" type="string" string="{index}")
input(type="imfile" file="{folder}/spool/*.ndjson" tag="bench" ruleset="ship" addMetadata="on" escapeLF="off")
ruleset(name="ship" queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="{batch}"
        queue.workerThreads="{workers}" queue.workerThreadMinimumMessages="{batch}") {{
  action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" uid="nobet_admin" pwd="{password}"
         template="line" searchIndex="index" dynSearchIndex="on" searchType="" bulkmode="on" maxbytes="16m"
         writeoperation="create" bulkid="ident" dynbulkid="on" errorfile="{folder}/refused.log"
         action.resumeRetryCount="-1")
}}
"""


def home() -> Path:
    """Where the packages are unpacked; fetched if need be. Raises ShipperError when they can't be had."""
    cache = CHECKOUT / ".stack" / "cache"
    entry = apt.home("rsyslog", cache)
    try:
        apt.install(PACKAGES, entry, cache, lambda _text: None)
    except (StackError, FileNotFoundError) as error:
        raise ShipperError(f"rsyslog can't be had: {error}") from None
    return entry


class Rsyslog(Shipper):
    """rsyslogd in the foreground."""

    _expected = 0

    def prepare(self, segments: list[Path]) -> None:
        """Start it on an empty folder; the files wait beside it."""
        root = home()
        for part in ("work", "spool", "waiting"):
            (self._folder / part).mkdir()
        for path in segments:
            target = self._folder / "waiting" / path.name
            target.write_bytes(path.read_bytes())
            self._expected += target.read_bytes().count(b"\n")
        text = CONFIGURATION.format(
            folder=self._folder,
            index=self._store.index,
            port=self._store.port,
            password=self._store.password("admin"),
            batch=BATCH_DOCS,
            workers=CONNECTIONS,
        )
        configuration = self._folder / "rsyslog.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(text, encoding="utf-8")
        libraries = ":".join(str(path) for path in (root / "usr/lib").glob("*-linux-gnu*"))
        modules = next(iter(root.glob("usr/lib/*/rsyslog")), root / "usr/lib/rsyslog")
        command = [str(root / PACKAGES.program), "-n", "-f", str(configuration), "-i", str(self._folder / "pid"), "-M", str(modules)]
        self._spawn(command, environment(LD_LIBRARY_PATH=libraries))
        time.sleep(2)
        if self._running().poll() is not None:
            raise ShipperError(f"rsyslog did not start: {self._last_words()}")

    def ship(self) -> None:
        """Let the files appear; done when the server's counter has them all."""
        for path in sorted((self._folder / "waiting").iterdir()):
            path.rename(self._folder / "spool" / path.name)
        seen, moved = 0, time.monotonic() + START_SECONDS
        while (now := self._store.written()) < self._expected:
            if now > seen:
                seen, moved = now, time.monotonic()
            if time.monotonic() - moved > STALLED_SECONDS or self._running().poll() is not None:
                raise ShipperError(f"rsyslog stopped after {now} of {self._expected} lines: {self._last_words()}")
            time.sleep(0.1)
