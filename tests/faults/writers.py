"""The services of a run: started, killed, stopped, and asked what they owe."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.worker_metrics import WorkerFiles
from tests.faults.oracle import Owed
from tests.faults.schedule import Plan
from tests.faults.writer import Ledger
from tests.support.launch import Launch, Running
from tests.support.processes import bare_environment
from tests.support.waiting import wait_until

START_SECONDS: Final = 120
STOP_SECONDS: Final = 60


@dataclass(slots=True)
class _Life:
    process: Running
    ledger: Path
    killed: bool = False


class Writers:
    """All writers of a run."""

    def __init__(self, folder: Path, spool: Path, plan: Plan, module: str, launch: Launch) -> None:
        """`module` is what runs as a writer, and `launch` how it is started."""
        self._folder: Final = folder
        self._spool: Final = spool
        self._plan: Final = plan
        self._module: Final = module
        self._launch: Final = launch
        self._metrics: Final = folder / "writer-metrics"
        self._lives: Final[list[list[_Life]]] = [[] for _ in range(plan.services)]
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def kills(self) -> int:
        """How many lives ended by force."""
        return sum(life.killed for lives in self._lives for life in lives)

    def start(self) -> None:
        """Start every service, and wait until each has written something."""
        for number in range(self._plan.services):
            self._begin(number)
        wait_until("all writers write", lambda: all(life.count for life in self.owed()[0]), START_SECONDS, 0.25)

    def kill(self, number: int) -> None:
        """End a service with -9, and start it again."""
        life = self._lives[number][-1]
        life.process.kill()
        life.process.wait()
        life.killed = True
        self._begin(number)

    def stop(self) -> list[str]:
        """End all of them in order. Complaints about those that ended by themselves."""
        for lives in self._lives:
            lives[-1].process.send_signal(signal.SIGTERM)
        said = []
        for number, lives in enumerate(self._lives):
            code = lives[-1].process.wait(STOP_SECONDS)
            if code == -signal.SIGTERM:
                lives[-1].killed = True  # too young to listen, and so without records
            elif code:
                said.append(f"writer {number} ended with {code}: {self._output(number).read_text()[-500:]}")
        return said

    def close(self) -> None:
        """End what still runs, at once."""
        for lives in self._lives:
            for life in lives:
                if life.process.poll() is None:
                    life.process.kill()
                    life.process.wait()

    def owed(self) -> tuple[list[Owed], list[Owed]]:
        """The obligations: records, and records that belong among the dead letters."""
        records, poison = [], []
        for number, lives in enumerate(self._lives):
            for place, life in enumerate(lives):
                with Ledger(life.ledger) as ledger:
                    written, poisoned = ledger.read()
                records.append(Owed(f"w{number}-{place}", written, int(life.killed)))
                poison.append(Owed(f"p{number}-{place}", poisoned, int(life.killed)))
        return records, poison

    def counted(self, name: str) -> int:
        """A counter, over all lives of all writers."""
        if not self._metrics.exists():
            return 0
        families = {family.name: family for family in WorkerFiles(self._metrics).collect()}
        family = families.get(name.removesuffix("_total"))
        return int(sum(sample.value for sample in family.samples)) if family else 0

    def service_name(self, number: int) -> str:
        """What a service writes as service_name."""
        return f"writer-{number}"

    def _output(self, number: int) -> Path:
        return self._folder / f"writer-{number}.log"

    def _begin(self, number: int) -> None:
        life = len(self._lives[number])
        ledger = self._folder / f"ledger-{number}-{life}"
        plan = self._plan
        words = [ledger, number, life, plan.pauses[number], plan.poison_share, plan.long_share]
        environment = bare_environment(
            SPOOL_DIR=str(self._spool),
            SPOOL_SEGMENT_BYTES=str(plan.segment_bytes),
            SERVICE_NAME=self.service_name(number),
            PROMETHEUS_MULTIPROC_DIR=str(self._metrics),
            LOG_STDOUT="false",
            ENVIRONMENT="test",
        )
        process = self._launch(self._module, [str(word) for word in words], environment, self._folder, self._output(number))
        self._lives[number].append(_Life(process, ledger))
