# SPDX-License-Identifier: GPL-2.0-only
"""Host processes that fail where a kill from outside could hardly be aimed."""

from __future__ import annotations

import os
import signal

import posix_ipc

from emulator.vm.host_process import HostProcess


class KilledWhileNamed(HostProcess):
    """Killed between the creation of the segment and the removal of its name."""

    def run(self) -> None:
        posix_ipc.SharedMemory(self.launch.segment, flags=posix_ipc.O_CREX, mode=0o600, size=4096)
        os.kill(os.getpid(), signal.SIGKILL)


class Leaves(HostProcess):
    """Says nothing and goes."""

    def run(self) -> None:
        os._exit(3)


class NeverAnswers(HostProcess):
    """Stays and says nothing."""

    def run(self) -> None:
        while True:
            signal.pause()


class WaitsForEver(HostProcess):
    """As long as vCPU processes want to leave in good order."""

    def run(self) -> None:
        from emulator.vm import host

        host._LEAVE_SECONDS = 3600.0
        super().run()


FAILURES = {"killed-while-named": KilledWhileNamed, "leaves": Leaves, "never-answers": NeverAnswers}
