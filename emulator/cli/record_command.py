# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf record`: boots a guest, samples events on every vCPU, and writes a perf.data file."""

from __future__ import annotations

import argparse
import sys

from emulator.cli.launch import Launcher, machine_config
from emulator.errors import PvperfError, UsageError
from emulator.events import parse_events
from emulator.files import Files
from emulator.guest.agent import Recording
from emulator.recording.perfdata.losses import shortfalls, sum_losses
from emulator.recording.perfdata.recorder import Recorder
from emulator.recording.run import (
    MIN_RING_BYTES,
    chain_depth,
    check_sampled,
    new_recorder,
    ring_bytes,
    run_recorded,
    sampled_events,
)
from emulator.terminal.printable import printable
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
        recorder = new_recorder(
            arguments.output,
            events,
            config=launcher.config,
            guest=launcher.guest,
            command=("pvperf", *sys.argv[1:]),
            guest_mode=arguments.guest_mode,
            files=files,
        )
        try:
            result = run_recorded(launcher.run, recorder, events, recording=recording)
        except PvperfError:
            if recorder.size:
                _conclude(recorder, None, arguments.quiet)
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
    """Says what is in the file, and in any case what is not."""
    if not quiet:
        volume = f"{recorder.size / (1 << 20):.3f} MB {printable(recorder.path)} ({recorder.samples} samples)"
        print(f"[ pvperf record: Captured and wrote {volume} ]", file=sys.stderr)
    if result is None or len(list(shortfalls(result.sampled, result.counts))) < len(result.sampled):
        print("pvperf record: the VM ended in disorder: how many samples were lost is not known", file=sys.stderr)
    elif losses := sum_losses(result.sampled, result.ring_lost, result.statistics):
        print(f"pvperf record: lost: {losses}", file=sys.stderr)
