# SPDX-License-Identifier: GPL-2.0-only
"""The Python API's virtual machine: emulator.vm.machine's, which can also be recorded."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from emulator.errors import HostError, UsageError
from emulator.events import Event
from emulator.guest.agent import Recording
from emulator.vm.asked import check_kind, chosen_events, guest_path
from emulator.vm.guest_file import read_guest_file
from emulator.vm.keyboard import HasFileno
from emulator.vm.machine import Machine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from emulator.recording.recorded import Recorded


class VirtualMachine(Machine):
    """A VM that boots anew with every run(), or record(). Use it in a `with` statement."""

    def record(
        self,
        guest: str | Path,
        args: str | Sequence[str] = (),
        *,
        events: str | Event | Iterable[str | Event] = "instructions",
        period: int | None = None,
        frequency: int | None = None,
        call_graph: bool | int = False,
        output: str | Path | None = None,
        timeout: float | None = None,
        console: Callable[[bytes], None] | None = None,
        initrd: str | Path | Iterable[str | Path] = (),
        append: str = "",
        console_input: HasFileno | None = None,
    ) -> Recorded:
        """Boots `guest`, runs it to its end, and samples `events` on every vCPU meanwhile.

        Args:
            guest, args, timeout, console, initrd, append, console_input: as run() has them.
            events: as run() has them, at least one.
            period: of each event, how much of it there is between two samples; 100,000 unless there is a frequency.
            frequency: instead, samples a second that the period is adapted to.
            call_graph: whether samples have call chains; a number is how many return addresses at most, 1 to 127.
            output: a perf.data file, for `perf` and `pvperf report`. What is recorded until an error is kept in it.

        Raises as run() does, and:
            Unsupported: the guest interface does not have an event.
            HostError: the output cannot be written.
        """
        from emulator.recording import run
        from emulator.recording.perfdata import reader
        from emulator.recording.recorded import Recorded

        sampled = run.sampled_events(
            chosen_events(events, counters=self.config.counters),
            period=period,
            frequency=frequency,
            chains=bool(call_graph),
        )
        recording = Recording(run.ring_bytes(self.config), run.chain_depth(call_graph))
        check_kind("output", output, (str, os.PathLike, type(None)), "the path of a file, or None")
        if output is not None and "\0" in os.fspath(output):
            raise UsageError("the path of the output cannot contain a NUL")
        with ExitStack() as held:
            path = os.fspath(output) if output is not None else _nowhere(held)
            file, _ = read_guest_file(guest_path(guest), name=str(guest), ram_bytes=self.config.memory)
            command = ("pvperf", "record", str(guest))
            recorder = run.new_recorder(path, sampled, config=self.config, guest=file, command=command)
            what: dict[str, Any] = {"events": sampled, "recording": recording, "timeout": timeout, "console": console}
            what |= {"initrd": initrd, "append": append, "console_input": console_input}
            result = run.run_recorded(self.run, recorder, guest, args, **what)
            run.check_sampled(result)
            return Recorded(result, reader.read(path), path if output is not None else None)


def _nowhere(held: ExitStack) -> str:
    try:
        return os.path.join(held.enter_context(tempfile.TemporaryDirectory(prefix="pvperf-record-")), "perf.data")
    except OSError as error:
        raise HostError(f"cannot keep a recording without an output: {error.strerror}") from None
