# SPDX-License-Identifier: GPL-2.0-only
"""Recordings without a VM: samples as a vCPU's ring gives them, and the file that they become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from emulator.guest import elf
from emulator.guest.agent import Attr
from emulator.recording.perfdata import layout
from emulator.recording.perfdata.convert import SAMPLE
from emulator.recording.perfdata.features import Machine
from emulator.recording.perfdata.recorder import Guest, Recorder, Shortfall, recorded_events

INSTRUCTIONS = Attr(0, 1, 1, sample_period=1000)
BRANCHES = Attr(0, 4, 1, sample_period=500)


def sample(
    ip: int, time_ns: int, *, event: int = 0, period: int = 1000, cpl: int = 0, chain: Sequence[int] = ()
) -> bytes:
    """A struct pv_sample."""
    size = SAMPLE.size + 8 * len(chain)
    head = SAMPLE.pack(size, event, len(chain), 0, cpl, 1, 0, ip, time_ns, period, 0)
    return head + b"".join(address.to_bytes(8, "little") for address in chain)


def guest_of(path: Path) -> Guest:
    """What the recorder has to know of a guest."""
    fd = elf.open_guest(path)
    try:
        with open(fd, closefd=False):
            image = elf.read_image(fd, name=path.name, ram_bytes=64 << 20)
            return Guest(str(path), image.segments, elf.read_build_id(fd))
    finally:
        import os

        os.close(fd)


def record(
    path: Path,
    guest: Guest,
    streams: Sequence[bytes],
    *,
    names: Sequence[str] = ("instructions",),
    attrs: Sequence[Attr] = (INSTRUCTIONS,),
    chains: bool = False,
    guest_mode: bool = False,
    shortfalls: Iterable[Shortfall] | None = None,
    ring_lost: Sequence[int] = (),
) -> int:
    """Writes a perf.data file with one stream of samples per vCPU. Its size, bytes. By default no sample is lost."""
    if chains:
        attrs = [attr._replace(sample_type=layout.SAMPLE_CALLCHAIN) for attr in attrs]
    vcpus = len(streams)
    events = recorded_events(names, attrs, vcpus=vcpus)
    machine = Machine("host", "6.1.0", "0.1", vcpus, 64 << 20, ("pvperf", "record", guest.path))
    recorder = Recorder(str(path), guest=guest, machine=machine, events=events, ids=(1000, 64), guest_mode=guest_mode)
    for vcpu, stream in enumerate(streams):
        recorder.take(vcpu, stream)
    if shortfalls is None:
        shortfalls = [Shortfall(vcpu, event, 0) for vcpu in range(vcpus) for event in range(len(events))]
    recorder.finish(shortfalls=shortfalls, ring_lost=ring_lost)
    return recorder.size
