# SPDX-License-Identifier: GPL-2.0-only
"""A run that is recorded: what it is asked for, and how its samples become a perf.data file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os import uname
from typing import Any

from emulator import __version__
from emulator.errors import Unsupported, UsageError
from emulator.events import Event
from emulator.files import Files
from emulator.guest.elf import GuestFile
from emulator.recording.perfdata import layout
from emulator.recording.perfdata.convert import SAMPLE_TYPE
from emulator.recording.perfdata.features import Machine
from emulator.recording.perfdata.losses import shortfalls
from emulator.recording.perfdata.recorder import TRACE_KINDS, Guest, Recorder, recorded_events
from emulator.vm.asked import check_kind
from emulator.vm.machine import MachineConfig, event_attrs
from emulator.vm.result import Result, reason

DEFAULT_PERIOD = 100_000
DEFAULT_CHAIN = 64
MAX_CHAIN = 127  # PV_SAMPLE_MAX_CHAIN
_MAX_U64 = (1 << 64) - 1

# A ring takes at most this part of guest RAM, and no more than it needs for a moment's inattention of the host.
_RING_SHARE = 16
_MAX_RING_BYTES = 1 << 20
MIN_RING_BYTES = 1 << 12


def sampled_events(
    events: Sequence[Event], *, period: int | None, frequency: int | None, chains: bool
) -> tuple[Event, ...]:
    """The events, each with its period or its samples a second. UsageError for what cannot be."""
    if not events:
        raise UsageError("there is nothing to record: name an event")
    if period is not None and frequency is not None:
        raise UsageError("samples have a period or a frequency, and both were given")
    _check_whole("period", period)
    _check_whole("frequency", frequency)
    flags, every = (0, period or DEFAULT_PERIOD) if frequency is None else (layout.ATTR_FREQ, frequency)
    fields = SAMPLE_TYPE | (layout.SAMPLE_CALLCHAIN if chains else 0)
    return tuple(replace(event, flags=event.flags | flags, sample_period=every, sample_type=fields) for event in events)


def _check_whole(name: str, value: int | None) -> None:
    check_kind(name, value, (int, type(None)), "a whole number")
    if value is not None and not 1 <= value <= _MAX_U64:
        raise UsageError(f"{name} must be 1 to {_MAX_U64}, and {value} is not")


def chain_depth(call_graph: bool | int) -> int:
    """Return addresses a sample: 0 without call chains, and a depth of its own for True."""
    check_kind("call_graph", call_graph, (bool, int), "True, False or a depth")
    if isinstance(call_graph, bool):
        return DEFAULT_CHAIN if call_graph else 0
    if not 1 <= call_graph <= MAX_CHAIN:
        raise UsageError(f"a call chain is 1 to {MAX_CHAIN} return addresses deep, and not {call_graph}")
    return call_graph


def ring_bytes(config: MachineConfig) -> int:
    """Room for the samples of each vCPU: a power of 2."""
    share = config.memory // _RING_SHARE // config.smp
    return max(MIN_RING_BYTES, min(_MAX_RING_BYTES, 1 << max(share, 1).bit_length() - 1))


def new_recorder(
    path: str,
    events: Sequence[Event],
    *,
    config: MachineConfig,
    guest: GuestFile,
    command: Sequence[str],
    guest_mode: bool = False,
    files: Files | None = None,
) -> Recorder:
    """Of a run of `guest` on such a machine, for the file at `path`; see Recorder."""
    from emulator.guest.linux.kernel import linked, unpacked
    from emulator.native import load_core

    segments = guest.image.segments or tuple(linked(unpacked(guest.path)))  # of Linux
    lib, system = load_core().lib, uname()
    return Recorder(
        path,
        guest=Guest(guest.path, segments, guest.build_id),
        machine=Machine(system.nodename, system.release, __version__, config.smp, config.memory, tuple(command)),
        events=recorded_events([event.name for event in events], event_attrs(events), vcpus=config.smp),
        ids=(lib.PV_AGENT_FIRST_ID, lib.PV_AGENT_MAX_EVENTS),
        guest_mode=guest_mode,
        files=files,
    )


def run_recorded(run: Callable[..., Result], recorder: Recorder, *words: Any, **asked: Any) -> Result:
    """What run() gives, with its samples in the recorder's file. Whatever it raises, what came until then is kept."""
    try:
        result = run(*words, **asked, samples=recorder.take, trace=recorder.take_trace, trace_kinds=TRACE_KINDS)
    except BaseException:
        if not recorder.abandon():
            recorder.finish()
        raise
    recorder.finish(shortfalls=list(shortfalls(result.sampled, result.counts)), ring_lost=result.ring_lost)
    return result


def check_sampled(result: Result) -> None:
    """What the guest interface refused was not sampled, though the guest ran: not supported with these options."""
    for count in result.counts:
        if count.error and count.error != "not counted":
            raise Unsupported(f"event {count.event.name} was not sampled: {reason(count.error)}")
