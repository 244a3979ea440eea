"""A Docker engine for the tests: private socket and folders, stopped and removed at the end; or the machine's own."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

from tests.support.waiting import wait_until

START_SECONDS: Final = 60
_BRIDGE: Final = Path("/sys/class/net/docker0")


class Engine:
    """What `docker` and `docker compose` talk to."""

    def __init__(self, folder: Path | None, plugin: Path | None) -> None:
        """`folder` is for a private engine; None means the machine's own. `plugin` is a Compose v2 for clients without one."""
        self._folder: Final = folder
        self._private: subprocess.Popen[bytes] | None = None
        self._forwards: str | None = None
        self._log = (folder / "dockerd.log").open("ab") if folder else None
        self._config: Final = Path(tempfile.mkdtemp(prefix="nobet-docker-config-"))
        if plugin is not None:
            (self._config / "cli-plugins").mkdir()
            (self._config / "cli-plugins" / "docker-compose").symlink_to(plugin)

    @property
    def environment(self) -> Mapping[str, str]:
        """What makes a Docker client talk to this engine."""
        socket = {"DOCKER_HOST": f"unix://{self._folder}/docker.sock"} if self._folder else {}
        return {**socket, "DOCKER_CONFIG": str(self._config)}

    def start(self) -> None:
        """Start the private engine and wait until it answers. Raises AssertionError with its log when it does not."""
        if self._folder is None:
            return
        folder = self._folder
        if not self.answers():
            if not _BRIDGE.exists():  # else another engine runs, which the network belongs to
                self._forwards = _forward_policy()
            command = ["dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
            self._private = subprocess.Popen(
                [*command, f"--host=unix://{folder}/docker.sock"],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until("the Docker engine answering", self.answers, START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(folder / 'dockerd.log').read_text(errors='replace')[-3000:]}") from error

    def answers(self) -> bool:
        """Whether it is there."""
        return (
            subprocess.run(["docker", "version"], env={**os.environ, **self.environment}, capture_output=True, check=False).returncode == 0
        )

    def has(self, image: str) -> bool:
        """Whether an image of this name is there."""
        return bool(self.docker("images", "--quiet", image))

    def docker(self, *arguments: str, check: bool = True) -> str:
        """What a `docker` command printed. Raises AssertionError when it fails."""
        env = {**os.environ, **self.environment, "DOCKER_BUILDKIT": "0"}  # a client without buildx can build that way only
        done = subprocess.run(["docker", *arguments], env=env, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {(done.stdout + done.stderr)[-3000:]}"
        return done.stdout.strip()

    def close(self, *, keep: bool = False) -> None:
        """End a private engine and remove all that it had, unless it is to be kept; a machine's own stays as it is."""
        shutil.rmtree(self._config, ignore_errors=True)
        if self._log:
            self._log.close()
        if self._private is None or self._folder is None:
            return
        if keep:
            self._private.returncode = 0  # runs on by intent: no warning about a child that was forgotten
            return
        children = psutil.Process(self._private.pid).children(recursive=True)
        self._private.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._private.wait(60)
        for left in psutil.wait_procs(children, timeout=10)[1]:
            left.kill()
        _unmount(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._forwards is not None:
            _remove_network(self._forwards)


def _unmount(folder: Path) -> None:
    """What a killed container left mounted would keep the folder from being removed."""
    for line in reversed(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()):
        target = line.split()[1]
        if target.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", target], check=False)


def _forward_policy() -> str:
    """What this machine does with packets for others; Docker changes it to DROP."""
    rules = _iptables("-S", "FORWARD").splitlines()
    return rules[0].split()[-1] if rules else "ACCEPT"


def _remove_network(forwards: str) -> None:
    """Docker leaves its bridge and its packet rules behind."""
    subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, check=False)
    for table in ("nat", "filter"):
        ours = [rule.split() for rule in _iptables("-t", table, "-S").splitlines() if "DOCKER" in rule or "docker0" in rule]
        for _, *rule in (words for words in ours if words[0] == "-A"):
            _iptables("-t", table, "-D", *rule)
        for chain in (words[1] for words in ours if words[0] == "-N"):
            _iptables("-t", table, "-X", chain)
    _iptables("-P", "FORWARD", forwards)


def _iptables(*arguments: str) -> str:
    return subprocess.run(["iptables", *arguments], capture_output=True, text=True, check=False).stdout
