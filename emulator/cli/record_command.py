# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf record`: boots a guest, samples events on every vCPU, and writes a perf.data file."""

from __future__ import annotations

import argparse
import sys

from emulator.cli.launch import Launcher, machine_config
from emulator.errors import PvperfError, UsageError
from emulator.events import parse_events
from emulator.files import Files
from emulator.printable import printable
from emulator.recording.perfdata.losses import shortfalls, sum_losses
from emulator.recording.perfdata.recorder import TRACE_KINDS, Guest, Recorder, recorded_events
from emulator.recording.recorded import (
    MIN_RING_BYTES,
    agent_ids,
    chain_depth,
    check_sampled,
    machine_of,
    ring_bytes,
    sampled_events,
)
from emulator.vm.machine import event_attrs
from emulator.vm.protocol import Recording
from emulator.vm.result import Result

DEFAULT_EVENT = "instructions"


def main(arguments: argparse.Namespace) -> int:
    """Returns the guest's exit status."""
    events = sampled_events(
        parse_events(arguments.event or DEFAULT_EVENT),
        period=arguments.count,
        frequency=arguments.freq,
        chains=arguments.call_graph,
    )
    recording = _recording(arguments)
    files = Files()
    with Launcher(arguments, files) as launcher:
        guest = Guest(launcher.guest.path, launcher.guest.image.segments, launcher.guest.build_id)
        machine = machine_of(launcher.config, ("pvperf", *sys.argv[1:]))
        described = recorded_events([event.name for event in events], event_attrs(events), vcpus=machine.vcpus)
        recorder = Recorder(
            arguments.output,
            guest=guest,
            machine=machine,
            events=described,
            ids=agent_ids(),
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
        check_sampled(result)
        return launcher.status(result)


def _recording(arguments: argparse.Namespace) -> Recording:
    depth = arguments.max_stack
    if depth is not None and not arguments.call_graph:
        raise UsageError("--max-stack is the depth of call chains: they need -g")
    return Recording(_ring_bytes(arguments), chain_depth(arguments.call_graph if depth is None else depth))


def _ring_bytes(arguments: argparse.Namespace) -> int:
    """A power of 2."""
    if arguments.ring is None:
        return ring_bytes(machine_config(arguments))
    if arguments.ring < MIN_RING_BYTES or arguments.ring & (arguments.ring - 1):
        raise UsageError(f"a sample ring has a power of 2 of bytes, {MIN_RING_BYTES} or more")
    return int(arguments.ring)


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
