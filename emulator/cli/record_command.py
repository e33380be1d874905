# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf record`: boots a guest, samples events on every vCPU, and writes a perf.data file."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace

from emulator import __version__
from emulator.cli.launch import Launcher
from emulator.errors import PvperfError, Unsupported, UsageError
from emulator.events import Event, parse_events
from emulator.files import Files
from emulator.machine import MachineConfig, event_attrs
from emulator.perfdata import layout
from emulator.perfdata.convert import SAMPLE_TYPE
from emulator.perfdata.features import Machine
from emulator.perfdata.losses import shortfalls, sum_losses
from emulator.perfdata.recorder import TRACE_KINDS, Guest, Recorder, recorded_events
from emulator.printable import printable
from emulator.protocol import Recording
from emulator.result import Result
from emulator.stat.table import reason

DEFAULT_EVENT = "instructions"
DEFAULT_PERIOD = 100_000
DEFAULT_CHAIN = 64
MAX_CHAIN = 127  # PV_SAMPLE_MAX_CHAIN

# A ring takes at most this part of guest RAM, and no more than it needs for a moment's inattention of the host.
_RING_SHARE = 16
_MAX_RING_BYTES = 1 << 20
_MIN_RING_BYTES = 1 << 12


def main(arguments: argparse.Namespace) -> int:
    """Returns the guest's exit status."""
    events = _sampled_events(arguments)
    recording = _recording(arguments)
    files = Files()
    with Launcher(arguments, files) as launcher:
        guest = Guest(launcher.guest.path, launcher.guest.image.segments, launcher.guest.build_id)
        machine = _machine(launcher.config)
        described = recorded_events([event.name for event in events], event_attrs(events), vcpus=machine.vcpus)
        recorder = Recorder(
            arguments.output,
            guest=guest,
            machine=machine,
            events=described,
            ids=_agent_ids(),
            guest_mode=arguments.guest_mode,
            files=files,
        )
        try:
            result = launcher.run(
                events,
                recording=recording,
                samples=recorder.take,
                trace=recorder.take_trace,
                trace_kinds=TRACE_KINDS,
            )
        except PvperfError:
            if not recorder.abandon():
                _conclude(recorder, None, arguments.quiet)
            raise
        except BaseException:
            if not recorder.abandon():
                recorder.finish()
            raise
        _conclude(recorder, result, arguments.quiet)
        _check_events(result)
        return launcher.status(result)


def _sampled_events(arguments: argparse.Namespace) -> tuple[Event, ...]:
    """The events, each with its period or frequency."""
    period, frequency = arguments.count, arguments.freq
    flags, every = (0, period or DEFAULT_PERIOD) if frequency is None else (layout.ATTR_FREQ, frequency)
    fields = SAMPLE_TYPE | (layout.SAMPLE_CALLCHAIN if arguments.call_graph else 0)
    return tuple(
        replace(event, flags=event.flags | flags, sample_period=every, sample_type=fields)
        for event in parse_events(arguments.event or DEFAULT_EVENT)
    )


def _recording(arguments: argparse.Namespace) -> Recording:
    depth = arguments.max_stack
    if depth is not None and not arguments.call_graph:
        raise UsageError("--max-stack is the depth of call chains: they need -g")
    if depth is not None and not 1 <= depth <= MAX_CHAIN:
        raise UsageError(f"a call chain is 1 to {MAX_CHAIN} return addresses deep, and not {depth}")
    return Recording(_ring_bytes(arguments), (depth or DEFAULT_CHAIN) if arguments.call_graph else 0)


def _ring_bytes(arguments: argparse.Namespace) -> int:
    """A power of 2."""
    if arguments.ring is not None:
        if arguments.ring < _MIN_RING_BYTES or arguments.ring & (arguments.ring - 1):
            raise UsageError(f"a sample ring has a power of 2 of bytes, {_MIN_RING_BYTES} or more")
        return int(arguments.ring)
    memory = arguments.memory or MachineConfig.memory
    share = memory // _RING_SHARE // max(arguments.smp or 1, 1)
    return max(_MIN_RING_BYTES, min(_MAX_RING_BYTES, 1 << max(share, 1).bit_length() - 1))


def _agent_ids() -> tuple[int, int]:
    from emulator.native import load_core

    lib = load_core().lib
    return lib.PV_AGENT_FIRST_ID, lib.PV_AGENT_MAX_EVENTS


def _machine(config: MachineConfig) -> Machine:
    system = os.uname()
    command = ("pvperf", *sys.argv[1:])
    return Machine(system.nodename, system.release, __version__, config.smp, config.memory, command)


def _conclude(recorder: Recorder, result: Result | None, quiet: bool) -> None:
    """Completes the file and says what is in it, and in any case what is not."""
    known = list(shortfalls(result.sampled, result.counts)) if result else []
    size = recorder.finish(shortfalls=known, ring_lost=result.ring_lost if result else ())
    if not quiet:
        volume = f"{size / (1 << 20):.3f} MB {printable(recorder.path)} ({recorder.samples} samples)"
        print(f"[ pvperf record: Captured and wrote {volume} ]", file=sys.stderr)
    if result is None or len(known) < len(result.sampled):
        print("pvperf record: the VM ended in disorder: how many samples were lost is not known", file=sys.stderr)
    elif losses := sum_losses(result.sampled, result.ring_lost, result.statistics):
        print(f"pvperf record: lost: {losses}", file=sys.stderr)


def _check_events(result: Result) -> None:
    """What the guest interface refused was not sampled, though the guest ran: not supported with these options."""
    for count in result.counts:
        if count.error and count.error != "not counted":
            raise Unsupported(f"event {count.event.name} was not sampled: {reason(count.error)}")
