# SPDX-License-Identifier: GPL-2.0-only
"""Boots a guest for a command: its output goes to stdout as it comes, and a signal ends it in good order.

The first SIGINT, SIGTERM or SIGHUP asks the VM for an orderly end, so that the counts up to then are had; the second
kills it. In both cases the process then ends by that signal. What comes at once is no second one: timeout(1) sends
its signal to the command, and to the group that the command is in.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from emulator.errors import GuestPanicked, GuestTimeout, HostError, Killed, UsageError
from emulator.files import Files, cannot_write
from emulator.guest import elf
from emulator.guest.bundled import find_guest, refuse_source
from emulator.guest.code_place import crash_of, crash_places
from emulator.terminal.counted import agreed, counted
from emulator.terminal.printable import printable
from emulator.vm.asked import kernel_line
from emulator.vm.guest_file import read_guest_file
from emulator.vm.machine import Machine, MachineConfig
from emulator.vm.result import Result

#: What the first program of Debian's initramfs writes once it is ready for a script: see emulator/debian/init.
ENQUIRY = b"\x05"

if TYPE_CHECKING:
    from io import RawIOBase

    from emulator.cli.console import Console
    from emulator.cli.trace_file import TraceFile
    from emulator.events import Event
    from emulator.guest.agent import Recording
    from emulator.vm.interval import Interval
    from emulator.vm.trace_records import Record

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ONE_REQUEST_SECONDS = 0.1
LINUX_MEMORY = 512 << 20  # where no other is asked for
_FIELDS = (
    *(
        "smp",
        "memory",
        "accel",
        "cpu",
        "design",
        "nmi",
        "sync",
        "max_events",
        "counters",
        "cycles",
        "pin",
        "pv_perf",
        "oracle",
        "hold_us",
        "max_sample_rate",
        "fault",
        "seed",
        "l1d",
        "llc",
        "predictor",
    ),
)


def machine_config(arguments: argparse.Namespace) -> MachineConfig:
    """What the options describe; an option that was not given has the configuration's own default."""
    given = {name: getattr(arguments, name) for name in _FIELDS}
    return MachineConfig(**{name: value for name, value in given.items() if value is not None})


class Launcher:
    """A VM for one command. Use it in a `with` statement, which takes over the signals."""

    def __init__(self, arguments: argparse.Namespace, files: Files) -> None:
        """Refuses what cannot be booted, before any of the command's `files` is touched."""
        self._arguments = arguments
        self.guest, self.is_linux = _find_guest(arguments)
        if self.is_linux and arguments.memory is None:
            arguments.memory = LINUX_MEMORY
        config = machine_config(arguments)
        files.reads(self.guest.path, *arguments.initrd)
        self._before: dict[int, Any] = {}
        self._trace = _open_trace(files, arguments, config.smp)
        self._vm = Machine(config)
        self._console: Console | None = None
        self._asked = 0.0  # when, by time.monotonic()
        self._left = False  # by ^A x
        self._held: RawIOBase | None = None  # what is typed once init asks for it
        self.signum = 0  # the signal that asked for the end; SIGPIPE if nobody reads the output any more

    def __enter__(self) -> Launcher:
        for signum in _SIGNALS:
            if signal.getsignal(signum) != signal.SIG_IGN:  # nohup, or a shell's background job
                self._before[signum] = signal.signal(signum, self._on_signal)
        if self.is_linux:
            from emulator.cli.console import Console

            self._console = Console(leave=self._leave, say=self._write).__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console:
            self._console.__exit__(kind, error, trace)
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._vm.close()
        if self._trace:
            self._trace.close()

    def _on_signal(self, signum: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self.signum == signum and now - self._asked < _ONE_REQUEST_SECONDS:
            return
        if self.signum or not self._vm.processes:
            self.signum = signum
            raise Killed(signum)
        self._asked, self.signum = now, signum
        self._vm.stop()

    def prepare_init(self) -> None:
        """The guest's first program is that of emulator/debian/init: it is told what it stands in front of."""
        console = self._console
        options = []
        if self._arguments.guest_args or not (console and console.is_terminal):
            options.append("loglevel=3")  # from the first line on, and no errors of what is not there
        elif console.source:
            columns, lines = os.get_terminal_size(sys.stdin.fileno())
            terminal = os.environ.get("TERM", "")
            options += [f"LINES={lines}", f"COLUMNS={columns}"] if lines and columns else []
            options += [f"TERM={terminal}"] if re.fullmatch(r"[\w.+-]{1,40}", terminal) else []
        if console and console.is_nothing:
            options.append("PVPERF_SCRIPT=none")
        elif console and console.source and not console.is_terminal:
            options.append("PVPERF_SCRIPT=stdin")
            self._held, console.source = console.source, None
        self._arguments.kernel_append = " ".join(filter(None, (*options, self._arguments.kernel_append)))

    def _hear(self, data: bytes) -> None:
        """Of the console. Where init asks for a script, what is on stdin begins to be typed."""
        if self._held and ENQUIRY in data:
            self._vm.attach(self._held)
            self._held = None
            data = data.replace(ENQUIRY, b"", 1)
        if not self._arguments.quiet:
            self._write(data)

    def _leave(self) -> None:
        self._left = True
        self._vm.stop()

    @property
    def config(self) -> MachineConfig:
        """Of the VM."""
        return self._vm.config

    def run(
        self,
        events: Sequence[Event] = (),
        *,
        recording: Recording | None = None,
        samples: Callable[[int, bytes], None] | None = None,
        trace: Callable[[list[Record]], None] | None = None,
        trace_kinds: Iterable[str] = (),
        interval: float | None = None,
        intervals: Callable[[Interval], None] | None = None,
    ) -> Result:
        """One boot of the guest, to its end. PvperfError, or Killed; no process is left in any case.

        `trace` gets records of the kinds `trace_kinds` at least; a file of --trace gets all there are. `intervals` gets
        what was counted in each interval of so many seconds.
        """
        arguments = self._arguments
        draw = self._trace.boot(lambda: self._vm.processes) if self._trace else None
        if self.is_linux and arguments.verbose:
            line = kernel_line(arguments.kernel_append, arguments.guest_args)
            print(f"pvperf: the kernel's command line: {printable(line.decode(errors='replace'))}", file=sys.stderr)
        try:
            result = self._vm.run(
                self.guest.path if self.is_linux else arguments.guest,
                arguments.guest_args,
                events=events,
                timeout=arguments.timeout,
                console=self._hear if self._held or not arguments.quiet else None,
                trace=_both(draw, trace),
                trace_kinds=None if draw else trace_kinds,
                recording=recording,
                samples=samples,
                interval=interval,
                intervals=intervals,
                initrd=arguments.initrd,
                append=arguments.kernel_append,
                console_input=self._console.source if self._console else None,
            )
        except GuestPanicked as panicked:
            if not arguments.quiet:
                panicked.details = ""  # they have just been printed
            raise
        if self._trace:
            self._trace.place()
            self._trace.lost += result.statistics["trace_lost"]
        if arguments.verbose:
            _print_statistics(result)
        _print_loss(result)
        if crash_of(result.status, result.console):
            _print_places(result, arguments.guest)
        return result

    def _write(self, data: bytes) -> None:
        if self.signum == signal.SIGPIPE:
            return
        if self._trace:
            self._trace.place()
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            self.signum = signal.SIGPIPE
            self._vm.stop()
        except OSError as error:
            raise cannot_write("stdout", error) from None

    def status(self, result: Result) -> int:
        """The exit status that a run's end stands for. Raises Killed or GuestTimeout, if it was that."""
        if self.signum:
            raise Killed(self.signum)
        if self._left:
            return 0
        if result.ended == "timeout":
            raise GuestTimeout(f"the guest did not end within {self._arguments.timeout:g} s")
        if result.ended != "exit":
            raise HostError("the VM was ended from outside: its host process got a SIGTERM")
        return result.status


def _both(
    one: Callable[[list[Record]], None] | None, other: Callable[[list[Record]], None] | None
) -> Callable[[list[Record]], None] | None:
    if one is None or other is None:
        return one or other

    def call(records: list[Record]) -> None:
        one(records)
        other(records)

    return call


def _find_guest(arguments: argparse.Namespace) -> tuple[elf.GuestFile, bool]:
    """What shall be booted, and whether it is Linux. UsageError if it cannot be booted."""
    name = arguments.guest
    refuse_source(name)
    path = name if "/" in name else find_guest(name)
    return read_guest_file(path, name=name, ram_bytes=machine_config(arguments).memory)


def _open_trace(files: Files, arguments: argparse.Namespace, vcpus: int) -> TraceFile | None:
    if arguments.trace is None:
        if arguments.trace_records is not None:
            raise UsageError("--trace-records needs a file: name it with --trace")
        return None
    from emulator.cli.trace_file import TraceFile

    return TraceFile(files, arguments.trace, most=arguments.trace_records, vcpus=vcpus)


def _print_places(result: Result, guest: str) -> None:
    """The guest knows addresses alone; its file may know more."""
    for sentence in crash_places(result.console, guest if "/" in guest else find_guest(guest)):
        print(f"pvperf: {printable(sentence)}", file=sys.stderr)


def _print_loss(result: Result) -> None:
    """What a design loses is never passed over in silence, and only a broken one loses any."""
    lost, raised = result.statistics["overflows_lost"], result.statistics["overflows_raised"]
    if lost:
        are = agreed(lost, "is", "are")
        said = f"{lost:,} of {counted(raised, 'overflow')} reached no guest, and {are} nowhere"
        print(f"pvperf: lost: {said}", file=sys.stderr)


def _print_statistics(result: Result) -> None:
    print(f"pvperf: {result.ended}, status {result.status}, {result.elapsed_s:.6f} s", file=sys.stderr)
    for name, value in result.statistics.items():
        if value:
            print(f"pvperf: {name:<28}{value:>16,}", file=sys.stderr)
