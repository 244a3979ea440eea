"""What the supervisor runs in place of a program that needs a step of its own before each start.

`python -m app.stack.launch COMPONENT CACHE ETC -- PROGRAM ARGUMENT…` ends what a
killed predecessor left behind, builds the program when it is not there yet (and
then lets Prometheus know of it), and becomes the program.
"""

import json
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

LATER_TARGETS: Final = "prometheus-later"
"""Folder under `etc` with the targets as they will be when everything is built."""

BUILD_ENVIRONMENT: Final = "build-environment.json"
"""File in the working folder with the variables for the build. They are not part of the program's environment."""

_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "no_proxy", "all_proxy", "ssl_cert_file", "ssl_cert_dir"})
_GO: Final = frozenset(
    {
        "GOCACHE",
        "GOENV",
        "GOFLAGS",
        "GOINSECURE",
        "GOMODCACHE",
        "GONOPROXY",
        "GONOSUMDB",
        "GOPATH",
        "GOPRIVATE",
        "GOPROXY",
        "GOSUMDB",
        "GOTOOLCHAIN",
    }
)

_GROUP_FILE: Final = "process-group"
_GRACE_SECONDS: Final = 5.0


def main(arguments: list[str]) -> None:
    """Prepare and exec; does not return unless the build fails, and then ends with status 1."""
    component, cache, etc, _, *command = arguments
    end_leftovers(Path.cwd() / _GROUP_FILE)
    if not Path(command[0]).exists():
        _build(component, Path(cache))
        announce(Path(etc))
    os.execvp(command[0], command)  # noqa: S606 (the very point: the supervisor's child becomes the program)


def end_leftovers(record: Path) -> None:
    """End the rest of the process group that `record` names, then record this one.

    A parent that was killed with -9 leaves its workers behind, and they keep its port.
    """
    with suppress(OSError, ValueError):
        group, born = record.read_text(encoding="ascii").split()
        # Our first child's session outlives it; a group that is older than the record is somebody else's.
        if int(group) != os.getpgrp() and float(born) <= time.time():
            _end_group(int(group), record.parent)
    record.write_text(f"{os.getpgrp()} {time.time()}", encoding="ascii")


def _end_group(group: int, folder: Path) -> None:
    if not any(_works_in(pid, folder) for pid in group_members(group)):
        return
    os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while group_members(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def group_members(group: int) -> list[int]:
    """Ids of the processes of a group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if os.getpgid(int(entry.name)) == group:
                    found.append(int(entry.name))
    return found


def _works_in(pid: int, folder: Path) -> bool:
    """Whether a process has our working folder: process ids are used again by strangers."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    return False


def announce(etc: Path) -> None:
    """Make the prepared targets known to Prometheus, which watches the folder; before the build they would only alarm."""
    for prepared in (etc / LATER_TARGETS).glob("*.yml"):
        shutil.copy(prepared, etc / "prometheus" / "targets" / prepared.name)


def build_environment() -> dict[str, str]:
    """What a build may need of the shell that ran `up`: proxies, certificates and Go's own variables."""
    return {name: value for name, value in os.environ.items() if name.lower() in _PROXIES or name in _GO}


def _build(component: str, cache: Path) -> None:
    from app.stack.components import COMPONENTS
    from app.stack.errors import StackError
    from app.stack.install import install

    with suppress(OSError, ValueError):
        os.environ.update(json.loads((Path.cwd() / BUILD_ENVIRONMENT).read_text(encoding="utf-8")))
    try:
        install(COMPONENTS[component].sources[0], COMPONENTS[component], cache, _say)
    except StackError as error:
        _say(str(error))
        time.sleep(60)  # the supervisor tries again at once; a network that is away stays away for a while
        sys.exit(1)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
