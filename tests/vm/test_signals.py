# SPDX-License-Identifier: GPL-2.0-only
"""The command line under signals: an orderly end with what was counted, and death by that signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import MARK, marked, wait_gone
from tiny_guest import SPIN, guest, say

from emulator import VirtualMachine
from emulator.vm.host_process import HostProcess


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_group_does_not_end_a_host_that_starts(
    signum: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is for the front end, which then asks the host for an end."""
    start = HostProcess.start

    def start_and_signal(host: HostProcess) -> None:
        start(host)
        os.kill(host.pid, signum)

    monkeypatch.setattr(HostProcess, "start", start_and_signal)
    with VirtualMachine() as vm:
        assert vm.run("hello").status == 0


@pytest.mark.parametrize(
    ("group", "both"), [(False, False), (True, False), (True, True)], ids=["process", "group", "as timeout does"]
)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stat_prints_what_it_has(tmp_path: Path, signum: signal.Signals, group: bool, both: bool) -> None:
    """A terminal, timeout(1) and service managers signal the whole process group, vCPUs and host too."""
    command = [sys.executable, "-m", "emulator", "stat", "-j", "-e", "instructions", "--smp", "2"]
    mark = f"{os.getpid()}-{tmp_path.name}"
    with subprocess.Popen(
        [*command, str(guest(tmp_path, say(b".") + SPIN))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, MARK: mark},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(2) == b".."  # both vCPUs are past the agent
        if both:
            process.send_signal(signum)
        (os.killpg if group else os.kill)(process.pid, signum)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == -signum
    count = json.loads(errors.splitlines()[0])
    assert count["counter-value"] >= 8
    assert wait_gone(marked(mark), 60)
