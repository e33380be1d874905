# SPDX-License-Identifier: GPL-2.0-only
"""What sampling costs: the guest's speed, an overflow from counter to IRET, and how fast samples can be recorded."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulator.bench.measuring.case import Case, Contender, Effort, Group, Plot, Ratio, single
from emulator.bench.measuring.vm import TIMEOUT_SECONDS, check_end, cores, run_guest
from emulator.events import parse_events
from emulator.guest.agent import Recording
from emulator.vm.machine import Machine
from emulator.vm.result import Result

_RING = Recording(ring_bytes=1 << 20, max_chain=0)
_PERIODS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
_TARGET_PERIOD = 100_000
_OVERFLOW_PERIOD = 2_000  # many overflows in little work
_NEVER = 1 << 62
_WRITTEN_SAMPLES = 200_000


def groups(effort: Effort) -> Iterator[Group]:
    """Guest speed by period; an overflow against a READ; recording."""
    for guest, args in (("matmul", [f"rounds={effort.pick(32, 8)}"]), ("spin", [f"iterations={effort.pick(50, 10)}M"])):
        yield _speed(guest, args)
    yield _overflow(effort.pick(20_000_000, 4_000_000), effort.pick(50_000, 10_000))
    yield _recording(effort)


def record_guest(
    guest: str, args: list[str], period: int, samples: Callable[[int, bytes], None], **config: Any
) -> Result:
    """Runs a guest whose instructions are sampled by the agent. Violated unless every overflow is accounted for."""
    events = [replace(event, sample_period=period) for event in parse_events("instructions")]
    with Machine(max_sample_rate=0, **config) as vm:
        result = vm.run(
            guest, args, events=events, timeout=TIMEOUT_SECONDS, console=None, recording=_RING, samples=samples
        )
    check_end(result, guest)
    return result


def _drop(vcpu: int, data: bytes) -> None:
    """Samples that nobody wants."""


def _speed(guest: str, args: list[str]) -> Group:
    def counted() -> float:
        return 1 / run_guest(guest, args, events="instructions").elapsed_s

    def sampled(period: int) -> Callable[[], float]:
        return lambda: 1 / record_guest(guest, args, period, _drop).elapsed_s

    unit = f"runs of {guest}/s"
    contenders: list[Contender] = [single(Case(name="counted", unit=unit, higher_is_better=True), counted)]
    ratios = []
    for period in _PERIODS:
        name = f"sampled every {period:,}"
        case = Case(name=name, unit=unit, higher_is_better=True, labels={"period": period})
        contenders.append(single(case, sampled(period)))
        target = ">= 0.85" if period == _TARGET_PERIOD else ""
        ratios.append(Ratio(f"{name} / counted", name, "counted", target))
    return Group(
        name=f"sampling, {guest}",
        about="guest speed while its instructions are sampled into a ring, against counting them",
        contenders=contenders,
        ratios=ratios,
        plots=[Plot(title=f"Speed of {guest} by period", x="period", log_x=True)],
    )


def _overflow(iterations: int, reads: int) -> Group:
    """The work of a run whose event never overflows is taken off that of one whose event does."""

    def sampler(period: int) -> Result:
        args = [f"period={period}", f"iterations={iterations}"]
        return run_guest("sampler", args, max_sample_rate=0)

    def through_idt() -> float:
        plain, sampled = sampler(_NEVER), sampler(_OVERFLOW_PERIOD)
        return (sampled.elapsed_s - plain.elapsed_s) / sampled.statistics["nmi_injected"] * 1e6

    def through_agent() -> float:
        args = ["iterations=" + str(iterations)]
        plain = run_guest("spin", args, events="instructions")
        sampled = record_guest("spin", args, _OVERFLOW_PERIOD, _drop)
        return (sampled.elapsed_s - plain.elapsed_s) / sampled.statistics["nmi_injected"] * 1e6

    def read() -> float:
        return run_guest("readloop", [f"count={reads}"]).elapsed_s / reads * 1e6

    idt, agent, base = "overflow, the guest's NMI", "overflow, the agent's NMI", "READ"
    return Group(
        name="overflow",
        about="an overflow, from the counter to the end of the handler, against a VM exit",
        contenders=[
            single(Case(name=base, unit="us"), read),
            single(Case(name=idt, unit="us"), through_idt),
            single(Case(name=agent, unit="us"), through_agent),
        ],
        ratios=[Ratio(f"{idt} / READ", idt, base, "<= 4"), Ratio(f"{agent} / READ", agent, base)],
        plots=[Plot(title="An overflow, in VM exits")],
    )


def _recording(effort: Effort) -> Group:
    """As fast as the guests overflow: samples a second that reach the front end, and those that found no room."""
    rounds = effort.pick(32, 8)

    def live() -> tuple[float, float]:
        seen = 0

        def count(vcpu: int, data: bytes) -> None:
            nonlocal seen
            seen += len(data)

        result = record_guest("matmul", [f"rounds={rounds}"], 2_000, count, smp=min(2, cores().number))
        return sum(one.samples for one in result.sampled) / result.elapsed_s, float(sum(result.ring_lost))

    cases = (
        Case(name="NMIs with a sample", unit="samples/s", higher_is_better=True),
        Case(name="samples that found no room", unit="samples"),
    )
    written = Case(name="perf.data written", unit="samples/s", higher_is_better=True)
    return Group(
        name="recording",
        about="samples a second: made by guests and drained, and written to a perf.data file",
        contenders=[Contender(cases, live), single(written, _write)],
    )


def _write() -> float:
    """Samples a second through the recorder into a file, in pieces as they are drained."""
    from emulator.guest.agent import Attr
    from emulator.recording.perfdata.convert import SAMPLE, SAMPLE_TYPE
    from emulator.recording.perfdata.features import Machine
    from emulator.recording.perfdata.recorder import Guest, Recorder, recorded_events

    piece = 1_000
    parts = [
        b"".join(
            SAMPLE.pack(SAMPLE.size, 0, 0, 0, 0, 1, 0, 0x100000 + at % 512, 1000 * (begin + at) + 1, 1000, 0)
            for at in range(piece)
        )
        for begin in range(0, _WRITTEN_SAMPLES, piece)
    ]
    events = recorded_events(["instructions"], [Attr(0, 1, 1, sample_period=1000, sample_type=SAMPLE_TYPE)], vcpus=1)
    machine = Machine("host", "6.1", "0", 1, 64 << 20, ("pvperf", "bench"))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "perf.data"))
        began = time.perf_counter()
        recorder = Recorder(path, guest=Guest("/guest", (), b""), machine=machine, events=events, ids=(0, 64))
        for part in parts:
            recorder.take(0, part)
        recorder.finish()
        took = time.perf_counter() - began
    return _WRITTEN_SAMPLES / took
