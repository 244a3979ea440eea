"""Does faults to one stack. Everything that is done is in the journal first, as the step that undoes it."""

import base64
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from app.stack.components import COMPONENTS
from app.stack.drill.journal import Journal
from app.stack.drill.undoing import Undoing, identities
from app.stack.environment import base_environment
from app.stack.errors import StackError
from app.stack.files import write_private
from app.stack.probes import ask
from app.stack.stack import Stack

AFFLICTIONS: Final = Path(__file__).parent / "afflictions"


class Hands(Undoing):
    """Each public method is a fault."""

    def __init__(self, stack: Stack, journal: Journal) -> None:
        super().__init__(stack)
        self.journal: Final = journal

    # --- components

    def stop(self, component: str) -> None:
        """Stop it in an orderly way."""
        self.journal.plan({"do": "start", "what": component})
        self.supervisor.stop(component)

    def kill(self, component: str) -> None:
        """End its main process with -9. Its supervisor starts it again, so there is nothing to undo."""
        process = self.supervisor.processes().get(component)
        if process and process.pid:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def kill_when_ready(self, component: str) -> None:
        """The same, unless it is just starting: a supervisor waits longer each time for a program that never comes up."""
        process = self.supervisor.processes().get(component)
        if process and process.state == "RUNNING" and not ask(COMPONENTS[component].probe, self.stack):
            self.kill(component)

    def pause(self, component: str) -> list[psutil.Process]:
        """Freeze it and all its children: it takes connections and answers nothing. Returns them."""
        members = self._members(component)
        self.journal.plan({"do": "continue", "what": component, "pids": identities(members)})
        for member in members:
            member.suspend()
        return members

    def reconfigure(self, component: str, **variables: str) -> None:
        """Restart it with other environment variables."""
        self.journal.plan({"do": "define", "what": component})
        self.define(component, variables)

    def afflict(self, component: str, **variables: str) -> None:
        """Restart it with an affliction from inside."""
        self.reconfigure(component, PYTHONPATH=f"{AFFLICTIONS}:{{PYTHONPATH}}", **variables)

    def restart_after_undo(self, component: str) -> None:
        """Nothing yet; but when what is done from here on is undone, it is started anew."""
        self.journal.plan({"do": "restart", "what": component})

    def clean_up_after_undo(self) -> None:
        """Nothing yet; but a cleanup runs when what is done from here on is undone."""
        self.journal.plan({"do": "clean up", "what": "cleanup"})

    def back_up_after_undo(self) -> None:
        """Nothing yet; but a backup is made when what is done from here on is undone."""
        self.journal.plan({"do": "back up", "what": str(self.stack.paths.run / "drill-backups")})

    # --- files, processes, and servers' settings

    def write(self, path: Path, content: str | bytes, *, reload: str = "", mild: bool = False) -> None:
        """Write a file, and ask a component to read its configuration again. `mild`: it may refuse."""
        old = base64.b64encode(path.read_bytes()).decode() if path.exists() else None
        self.journal.plan({"do": "write", "what": str(path), "content": old, "reload": reload})
        write_private(path, content)
        try:
            self.reload(reload)
        except StackError:
            if not mild:
                raise

    def fill(self, path: Path, size: int) -> None:
        """Take `size` bytes of a disk."""
        self.journal.plan({"do": "write", "what": str(path), "content": None, "reload": ""})
        with path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def move(self, source: Path, target: Path) -> None:
        """Put a file elsewhere."""
        self.journal.plan({"do": "move", "what": str(target), "to": str(source)})
        source.rename(target)

    def spawn(self, arguments: Sequence[str]) -> None:
        """Start a process that does harm by living."""
        quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        pid = os.posix_spawnp(arguments[0], list(arguments), base_environment(), file_actions=quiet)
        self.journal.plan({"do": "end", "what": arguments[0], "pids": identities([psutil.Process(pid)])})

    def elasticsearch(self, method: str, path: str, body: Any = None, *, undo: tuple[str, str, Any] | None = None) -> httpx.Response:
        """Ask Elasticsearch as its administrator; `undo` is the request that takes it back."""
        if undo:
            self.journal.plan({"do": "elasticsearch", "what": undo[1], "method": undo[0], "body": undo[2]})
        return self.ask_elasticsearch(method, path, body)

    def bulk(self, index: str, lines: str) -> None:
        """Have documents stored; what is refused is refused."""
        auth = ("nobet_admin", self.stack.secret("ELASTICSEARCH_ADMIN_PASSWORD"))
        headers = {"Content-Type": "application/x-ndjson"}
        self.http.post(f"{self.stack.url('elasticsearch')}/{index}/_bulk", content=lines, headers=headers, auth=auth)

    def turn(self, knobs: Mapping[str, Any]) -> None:
        """Make the voice service slow or faulty."""
        before = self.ask_voice("GET").json()
        self.journal.plan({"do": "knobs", "what": "voice", "body": before})
        self.ask_voice("PATCH", dict(knobs))

    def _members(self, component: str) -> list[psutil.Process]:
        process = self.supervisor.processes().get(component)
        if process is None or not process.pid:
            raise StackError(f"{component} does not run.")
        main = psutil.Process(process.pid)
        return [main, *main.children(recursive=True)]
