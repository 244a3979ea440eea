"""The launcher: ends what a killed predecessor left, and nothing else."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.stack.launch import build_environment, end_leftovers, group_members
from tests.support.waiting import wait_until

SLEEPER = "import time, sys; sys.stdout.write('up\\n'); sys.stdout.flush(); time.sleep(600)"


def _orphan(folder: Path) -> subprocess.Popen[str]:
    """A process in a group of its own, working in `folder`, that runs."""
    process = subprocess.Popen([sys.executable, "-c", SLEEPER], cwd=folder, stdout=subprocess.PIPE, text=True, process_group=0)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_workers_that_survived_their_parent_are_ended(tmp_path: Path) -> None:
    """After kill -9 of the parent the workers still hold the port; the next start ends them first."""
    orphan = _orphan(tmp_path)
    try:
        (tmp_path / "process-group").write_text(f"{orphan.pid} {time.time()}")
        end_leftovers(tmp_path / "process-group")
        wait_until("the end of the orphan", lambda: orphan.poll() is not None)
    finally:
        _end(orphan)


def test_a_stranger_with_a_reused_number_is_left_alone(tmp_path: Path) -> None:
    """Process ids are used again; a group that does not work in the component's folder is not ours."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    stranger = _orphan(elsewhere)
    try:
        (tmp_path / "process-group").write_text(f"{stranger.pid} {time.time()}")
        end_leftovers(tmp_path / "process-group")
        assert stranger.poll() is None
    finally:
        _end(stranger)


def test_the_own_group_is_recorded(tmp_path: Path) -> None:
    """The next start finds who ran now; a damaged record is overwritten."""
    file = tmp_path / "process-group"
    file.write_text("nonsense")
    end_leftovers(file)
    assert file.read_text().split()[0] == str(os.getpgrp())
    assert os.getpid() in group_members(os.getpgrp())


def test_a_build_gets_proxies_and_go_settings_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a proxy the build in the background works like one in the shell; other variables stay out."""
    for name in ("https_proxy", "NO_PROXY", "GOPROXY", "GOFLAGS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("GOOGLE_TOKEN", "y")
    monkeypatch.setenv("POSTGRES_PASSWORD", "z")
    found = build_environment()
    assert {"https_proxy", "NO_PROXY", "GOPROXY", "GOFLAGS"} <= found.keys()
    assert not {"GOOGLE_TOKEN", "POSTGRES_PASSWORD"} & found.keys()
