# SPDX-License-Identifier: GPL-2.0-only
"""A virtual machine, how it is configured, and what a run of it gives."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Self

from emulator.errors import (
    AllHalted,
    GuestPanicked,
    GuestShutdown,
    HostError,
    HostPanic,
    OutOfMemory,
    PvperfError,
    Unsupported,
    UsageError,
    VcpuDied,
    explain,
)
from emulator.guest import elf
from emulator.guest.agent import Attr, Recording
from emulator.guest.code_place import with_place
from emulator.guest.linux.boot import LinuxGuest
from emulator.guest.linux.initrd import open_initrd
from emulator.guest.linux.kernel import find_kernel
from emulator.guest.linux.panic import PanicWatch, panic_of
from emulator.vm.asked import (
    check_callback,
    check_kind,
    check_recording,
    chosen_events,
    command_line,
    guest_path,
    guest_words,
    initrd_paths,
    interval_ns,
    kernel_line,
    names,
    seconds,
)
from emulator.vm.cpus import MODELS, check_model
from emulator.vm.interval import Interval, Intervals
from emulator.vm.keyboard import HasFileno, Keyboard
from emulator.vm.models import parse_caches, parse_predictor
from emulator.vm.protocol import Ended, Launch, Trace
from emulator.vm.result import Result, count_of
from emulator.vm.session import STOP, Session

if TYPE_CHECKING:
    from emulator.events import Event
    from emulator.vm.trace_records import Merger, Record

MAX_VCPUS = 64  # PV_MAX_VCPUS
MIN_MEMORY = 1 << 20
MAX_MEMORY = 64 << 30
MAX_AGENT_EVENTS = 64  # PV_AGENT_MAX_EVENTS
_MAX_U32 = (1 << 32) - 1
_PAGE = 4096

# The first of each is the default; those after None are designed, and not in this version.
CHOICES: dict[str, tuple[str | None, ...]] = {
    "design": ("per-vm", "posted", "no-refcount", "per-vcpu"),
    "nmi": ("trylock", "deferred", "lockless"),
    "sync": ("entry", "every-exit"),
    "accel": ("tcg", None, "kvm"),
    "cpu": tuple(MODELS),
    "cycles": ("model", "tsc"),
    "pin": ("auto", "on", "off"),
    "atomics": ("host", "trap", "none"),
    "stores": ("fast", "unicorn"),
    "hook": ("count", "empty", "none"),
    "spacing": ("periodic", "poisson"),
}

#: What can be made to go wrong, by seed: the NMI path loses the trylock; guest memory cannot be written at a sync; the
#: host has no memory for what a guest asks for, which ends the VM; a host thread is delayed while it holds a lock.
FAULTS = {
    "trylock": "PV_FAULT_TRYLOCK",
    "guest-write": "PV_FAULT_GUEST_WRITE",
    "alloc": "PV_FAULT_ALLOC",
    "delay": "PV_FAULT_DELAY",
}

# Of the settings, by their annotations.
_KINDS: dict[Any, tuple[tuple[type, ...], str]] = {
    "int": ((int,), "a whole number"),
    "bool": ((bool,), "True or False"),
    "str": ((str,), "a name"),
    "str | None": ((str, NoneType), "a str or None"),
}

# Polling for an exit, at most, where the vCPUs and their host threads have a core each (handover.h).
_POLL_NS = 500_000
# How long a kernel that has panicked may go on to print, seconds.
_PANIC_SECONDS = 2.0
# Console output kept for Result.console, bytes; more goes to the callback alone.
CONSOLE_KEPT = 16 << 20


@dataclass(frozen=True, kw_only=True)
class MachineConfig:
    """What a VM is made of. Raises UsageError, or Unsupported for what a later version will know.

    Attributes:
        smp: vCPUs, 1 to 64; each is a process.
        memory: guest RAM, bytes, a multiple of 4096; 1 MiB to 64 GiB.
        max_events: the limit of open events per VM that the guest is told; as many of `events` beside.
        counters: hardware counters per vCPU; more enabled events than that rotate.
        design: of the event table.
        nmi: what the NMI path does when it loses the trylock.
        sync: when guest memory gets the counts of events that overflowed.
        accel: what executes the guest.
        cpu: the guest's processor: "x86-64", "x86-64-v2", "x86-64-v3", levels of the x86-64 psABI; "max", all that the
            host has and can be executed; "default", what needs no AVX. A level that the host has not is Unsupported.
        cycles: "model", deterministic, or "tsc", the host's time-stamp counter.
        pin: whether a vCPU and its host thread share a core; "auto": where cores are short, or hand-overs faster so.
        pv_perf: whether the guest is offered the feature.
        atomics: "host": LOCK instructions are the host's; "trap": the same, out of the translated code, where some are
            executed anyway; "none": they lose updates, as a negative control.
        stores: "fast": past Unicorn, where there is no code; "unicorn": its slow way for memory that may be executed.
        oracle: step every instruction beside counting, and compare; slow.
        hook: "count"; "empty" or "none" leave the engine without counting and atomics, to measure what those cost.
        rotate_us: time between two rotations of the counters, microseconds.
        hold_us: how long a sync holds the vCPU's event_mutex beyond what it needs, microseconds.
        max_sample_rate: NMIs a second for one event, and for all clocks of a vCPU together, above which they are
            throttled; 0: no limit.
        fault: faults to inject, as "trylock=10%,guest-write=0.5%": see FAULTS.
        spacing: of overflows; "poisson": at random, with the period as their mean distance.
        seed: of the faults, and of that spacing.
        l1d: L1 data cache of the model, "SIZE/WAYS/LINE"; None: 32K/8/64.
        llc: last-level cache of the model; None: 1M/16/64.
        predictor: branch predictor of the model, "gshare:BITS" of history; None: gshare:12.
    """

    smp: int = 1
    memory: int = 64 << 20
    max_events: int = 1024
    counters: int = 8
    design: str = "per-vm"
    nmi: str = "trylock"
    sync: str = "entry"
    accel: str = "tcg"
    cpu: str = "default"
    cycles: str = "model"
    pin: str = "auto"
    pv_perf: bool = True
    atomics: str = "host"
    stores: str = "fast"
    oracle: bool = False
    hook: str = "count"
    rotate_us: int = 4000
    hold_us: int = 0
    max_sample_rate: int = 200_000
    spacing: str = "periodic"
    fault: str = ""
    seed: int = 0
    l1d: str | None = None
    llc: str | None = None
    predictor: str | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            check_kind(each.name, getattr(self, each.name), *_KINDS[each.type])
        _check_range("number of vCPUs (smp)", self.smp, 1, MAX_VCPUS)
        _check_range("memory", self.memory, MIN_MEMORY, MAX_MEMORY, unit=" bytes")
        if self.memory % _PAGE:
            raise UsageError(f"memory must be a multiple of {_PAGE} bytes, and {self.memory} is not")
        _check_range("limit of events (max_events)", self.max_events, 1, 1 << 24)
        _check_range("number of counters", self.counters, 1, 1 << 16)
        _check_range("rotation interval (rotate_us)", self.rotate_us, 1, _MAX_U32, unit=" microseconds")
        _check_range("the time that a sync holds the lock (hold_us)", self.hold_us, 0, 10**6, unit=" microseconds")
        _check_range("the sample rate (max_sample_rate)", self.max_sample_rate, 0, _MAX_U32)
        _check_range("seed", self.seed, 0, (1 << 64) - 1)
        parse_faults(self.fault)
        parse_caches(self.l1d, self.llc)
        parse_predictor(self.predictor)
        for name, choices in CHOICES.items():
            _check_choice(name, getattr(self, name), choices)


def parse_faults(text: str) -> dict[str, int]:
    """The faults of "NAME=PERCENT%,...": name to how many of 1000. UsageError for what is not that."""
    faults = {}
    for part in filter(None, text.split(",")):
        name, _, share = part.partition("=")
        if name not in FAULTS:
            raise UsageError(f"there is no fault {name!r}: there are {', '.join(FAULTS)}")
        digits = share.removesuffix("%")
        plain = digits.replace(".", "", 1)
        permille = float(digits) * 10 if plain.isascii() and plain.isdigit() else -1.0
        if not share.endswith("%") or not 0 <= permille <= 1000 or permille != int(permille):
            raise UsageError(f"a fault's share is 0% to 100% in steps of 0.1%, and {share!r} is not")
        faults[name] = int(permille)
    return faults


def _check_range(what: str, value: int, least: int, most: int, unit: str = "") -> None:
    if not least <= value <= most:
        raise UsageError(f"{what} must be {least} to {most}{unit}, and {value!r} is not")


def _check_choice(name: str, value: str, choices: tuple[str | None, ...]) -> None:
    if value not in choices or value is None:
        known = ", ".join(choice for choice in choices if choice)
        raise UsageError(f"{name} {value!r} is not known: it is one of {known}")
    if None in choices and choices.index(value) > choices.index(None):
        raise Unsupported(f"{name} {value!r} is not in this version")


class _Launch(NamedTuple):
    """What run() was asked for; the rest of a Launch is the VM's."""

    path: str | Path
    words: str | tuple[str, ...]
    append: str
    initrds: tuple[str | Path, ...]
    attrs: tuple[Attr, ...]
    measure_memory: bool
    recording: Recording | None
    interval_ns: int
    paced: bool


class Machine:
    """A VM that boots anew with every run(). Use it in a `with` statement."""

    def __init__(self, config: MachineConfig | None = None, **overrides: Any) -> None:
        """`overrides` are fields of MachineConfig. Starts nothing yet."""
        known = MachineConfig.__dataclass_fields__
        for name in overrides:
            if name not in known:
                raise UsageError(f"there is no setting {name!r}: there are {', '.join(known)}")
        if config is not None:
            check_kind(
                "config", config, MachineConfig, "a MachineConfig; settings by their names, as in smp=2, go without"
            )
        self.config = replace(config or MachineConfig(), **overrides)
        self._busy = threading.Lock()
        self._closed = False
        self._runner = 0  # the thread that is in run()
        self._session: Session | None = None
        self._waker: socket.socket | None = None  # of the run in progress
        self._keyboard: Keyboard | None = None

    def __reduce__(self) -> NoReturn:
        raise UsageError("a VM cannot be copied or pickled: make another one of its config, VirtualMachine(vm.config)")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends a run that another thread may be in, and waits for it; what comes after is refused. Twice is once."""
        self._closed = True
        self.stop()
        if self._runner != threading.get_ident():  # or a callback of the run has called
            with self._busy:
                pass

    def check_extension(self, capability: int) -> int:
        """KVM_CHECK_EXTENSION: the event limit for KVM_CAP_PV_PERF, 0 when switched off; 0 for what is not known."""
        from emulator.native import load_core

        check_kind("capability", capability, int, "a whole number")
        if capability != load_core().lib.KVM_CAP_PV_PERF:
            return 0
        return self.config.max_events if self.config.pv_perf else 0

    @property
    def processes(self) -> dict[str, int]:
        """The pids of the run in progress: "host", and "vcpu0" and on once the VM has started."""
        session = self._session
        return dict(session.processes) if session else {}

    def stop(self) -> None:
        """Asks the run in progress, if any, for an orderly end. For any thread or signal handler."""
        self._wake(STOP)

    def type(self, data: bytes) -> None:
        """Types on the console of the Linux guest that runs. For any thread, and for a console's callback; of no use
        where nothing runs.
        """
        check_kind("data", data, bytes, "bytes")
        if keyboard := self._keyboard:
            keyboard.type(data)

    def attach(self, source: HasFileno) -> None:
        """From now on, what can be read from `source` is typed, until its end: as run()'s console_input. For the
        callback of the console.
        """
        if keyboard := self._keyboard:
            keyboard.attach(source)

    def _wake(self, why: bytes = b"w") -> None:
        with contextlib.suppress(OSError):  # full: somebody has asked; closed: it is over
            if waker := self._waker:
                waker.send(why)

    def run(
        self,
        guest: str | Path,
        args: str | Sequence[str] = (),
        *,
        events: str | Event | Iterable[str | Event] = (),
        timeout: float | None = None,
        console: Callable[[bytes], None] | None = None,
        measure_memory: bool = False,
        recording: Recording | None = None,
        samples: Callable[[int, bytes], None] | None = None,
        trace: Callable[[list[Record]], None] | None = None,
        trace_kinds: Iterable[str] | None = None,
        interval: float | None = None,
        intervals: Callable[[Interval], None] | None = None,
        initrd: str | Path | Iterable[str | Path] = (),
        append: str = "",
        console_input: HasFileno | None = None,
    ) -> Result:
        """Boots `guest`, and runs it to its end.

        Args:
            guest: the name of a bundled one, as `pvperf guests` lists them, or the path of an ELF file: a str with a
                slash in it, or a Path. A Linux kernel is one, too: a bzImage, or its vmlinux.
            args: the guest's command line, in words, as ["n=5"], or as one text. Of Linux: what its first program gets.
            events: to be counted on every vCPU from the guest's entry on: names, as "instructions,branches:u" or
                ["instructions", "branches:u"], or what parse_events() returned; at most 64. Those of a group, as
                "{instructions,cycles}" or ["{branches,branch-misses}:u", "cycles"], count all together or not at all.
            timeout: seconds from the guest's first entry after which the VM is ended in good order, which is no error:
                Result.ended says so. A boot that takes minutes is a HostError then.
            console: is called with what the guest writes, bytes as they come, in this thread.
            measure_memory: fill Result.pss_kib.
            recording: events that have a sample_period are sampled; VirtualMachine.record() is the easy way.
            samples: is called with a vCPU and samples of it, whole and in order, as struct pv_sample
                (native/abi/sample.h); also with no bytes, now and then, when none have come.
            trace: is called with what the host's threads do, emulator.vm.trace_records.Record, in order of time.
            trace_kinds: the names of the kinds of records that are wanted; None: all.
            interval: seconds, 0.001 and more, after which, again and again, `intervals` is called.
            intervals: is called with an emulator.Interval: what was counted since the one before. The last one comes
                with the end of the run, whenever that is: their sums are the Result's counts.

            initrd: of Linux alone: the file of which it unpacks its first file system, or several in their order.
            append: of Linux alone: options of the kernel, behind those that pvperf gives it, which they may override.
            console_input: of Linux alone: an open file, pipe or socket with what is typed on its console. See type().
                In front of a terminal what the guest sleeps takes its time; else it passes at once.

        What a callback raises ends the VM and comes out here. In any case no process is left.

        Raises:
            UsageError: an argument makes no sense, the guest cannot be booted, another run is in progress, or the VM
                has been closed; nothing was started.
            GuestShutdown: a vCPU's guest ended in a triple fault, or ran out of RAM.
            GuestPanicked: the Linux kernel has panicked.
            AllHalted: every vCPU is parked in HLT, and nothing can wake one.
            HostError, and HostDied, VcpuDied, HostPanic, OutOfMemory: the host cannot go on.
            Unsupported: a part of pvperf is missing or does not fit, or the guest needs what there is not.
        """
        timeout = seconds(timeout)
        check_kind("measure_memory", measure_memory, bool, "True or False")
        check_recording(recording)
        for name, callback in (("console", console), ("samples", samples), ("trace", trace), ("intervals", intervals)):
            check_callback(name, callback)
        words = guest_words(args)
        command_line(words)  # whatever the guest may be
        check_kind("append", append, str, "a str with options of the kernel")
        if console_input is not None and not hasattr(console_input, "fileno"):
            raise UsageError(f"console_input is an open file, pipe or socket, and {console_input!r} is not")
        chosen = chosen_events(events, counters=self.config.counters)
        launch = _Launch(
            guest_path(guest),
            words,
            append,
            initrd_paths(initrd),
            event_attrs(chosen),
            measure_memory,
            recording,
            interval_ns(interval, wanted=intervals is not None, counted=bool(chosen)),
            paced=console_input is not None and os.isatty(console_input.fileno()),
        )
        output, tracing = _Output(console), _Tracing(trace, names(trace_kinds, "trace_kinds"))
        passed = Intervals(intervals, chosen)
        if not self._busy.acquire(blocking=False):
            raise UsageError("this VM is running already")
        try:
            self._runner = threading.get_ident()
            if self._closed:
                raise UsageError("this VM has been closed")
            try:
                self._keyboard = Keyboard(self._wake)
                if console_input is not None:
                    self._keyboard.attach(console_input)
                ended, why = self._run(launch, output, samples, tracing, passed, str(guest), timeout)
            finally:
                tracing.finish()
            output.refuse_panic(ended)
            result = _result(ended, why, bytes(output.kept), chosen, self.config.design, launch.path)
            passed.finish(result)
            return result
        finally:
            self._session, self._keyboard, self._runner = None, None, 0
            self._busy.release()

    def _run(
        self,
        launch: _Launch,
        output: _Output,
        samples: Callable[[int, bytes], None] | None,
        tracing: _Tracing,
        passed: Intervals,
        name: str,
        timeout: float | None,
    ) -> tuple[Ended, str]:
        with contextlib.ExitStack() as held:
            fd = elf.open_guest(launch.path)
            held.callback(os.close, fd)
            complete = tracing.configure(self._complete(launch, fd, self._what(fd, launch, name, held)))
            wake = held.enter_context(self._waking())
            self._session = Session(
                wake=wake,
                console=output.write,
                samples=samples,
                trace=tracing.add,
                counted=passed.add,
                keyboard=self._keyboard,
            )
            if complete.linux:
                output.watch_for_panic(self._session)
            return self._session.run(complete, timeout=timeout)

    def _what(self, fd: int, launch: _Launch, name: str, held: contextlib.ExitStack) -> dict[str, Any]:
        """The fields of a Launch that say what is booted: the ELF file of a bare guest, or a Linux kernel."""
        kernel = find_kernel(fd, name=name)
        if kernel:
            initrds = []
            for path in launch.initrds:
                initrds.append(open_initrd(path))
                held.callback(os.close, initrds[-1])
            line = kernel_line(launch.append, launch.words)
            linux = LinuxGuest(kernel, tuple(initrds))
            return {"image": None, "paced": launch.paced, "linux": linux, "command_line": line}
        if launch.initrds or launch.append:
            raise UsageError(f"an initrd and options of a kernel are for Linux, and guest {name!r} is no Linux kernel")
        image = elf.read_image(fd, name=name, ram_bytes=self.config.memory)
        return {"image": image, "paced": False, "linux": None, "command_line": command_line(launch.words)}

    @contextlib.contextmanager
    def _waking(self) -> Iterator[socket.socket]:
        """The end of a pair that becomes readable when stop() is called, in the body."""
        try:
            waker, wake = socket.socketpair()
        except OSError as error:
            raise HostError(f"cannot start a VM: {explain(error)}") from None
        with waker, wake:
            for end in (waker, wake):
                end.setblocking(False)
            self._waker = waker
            try:
                if self._closed:  # meanwhile
                    self.stop()
                yield wake
            finally:
                self._waker = None

    def _complete(self, asked: _Launch, guest: int, what: dict[str, Any]) -> Launch:
        config = self.config
        check_model(config.cpu)
        cores = sorted(os.sched_getaffinity(0))
        may_part = config.pin == "auto" and config.smp < len(cores)
        pinned = config.pin != "off"
        polls = may_part or (not pinned and 2 * config.smp <= len(cores))
        l1d, llc = parse_caches(config.l1d, config.llc)
        return Launch(
            front_pid=0,
            segment="",
            channel=-1,
            guest=guest,
            vcpus=config.smp,
            ram_bytes=config.memory,
            max_events=config.max_events,
            counters=config.counters,
            rotate_us=config.rotate_us,
            poll_ns=_POLL_NS if polls else 0,
            cores=tuple(cores) if pinned else (),
            may_part=may_part,
            pv_perf=config.pv_perf,
            cycles_tsc=config.cycles == "tsc",
            cpu=config.cpu,
            atomics=config.atomics,
            stores=config.stores,
            oracle=config.oracle,
            hook=config.hook,
            l1d=l1d,
            llc=llc,
            predictor_bits=parse_predictor(config.predictor),
            design=config.design,
            nmi=config.nmi,
            sync=config.sync,
            hold_us=config.hold_us,
            max_sample_rate=config.max_sample_rate,
            poisson=config.spacing == "poisson",
            faults=tuple((FAULTS[name], share) for name, share in parse_faults(config.fault).items()),
            seed=config.seed,
            **what,
            attrs=asked.attrs,
            measure_memory=asked.measure_memory,
            recording=asked.recording,
            interval_ns=asked.interval_ns,
        )


class _Tracing:
    """Asks for a trace, if somebody wants one, and passes its records on in order."""

    def __init__(self, callback: Callable[[list[Record]], None] | None, kinds: Iterable[str] | None) -> None:
        self._callback = callback
        self._kinds = kinds
        self._merger: Merger | None = None

    def configure(self, launch: Launch) -> Launch:
        if self._callback is None:
            return launch
        from emulator.vm import trace_drain, trace_records

        self._merger = trace_records.Merger()
        kinds = trace_records.kind_bits(self._kinds)
        return launch._replace(trace_records=trace_drain.ring_records(launch.vcpus), trace_kinds=kinds)

    def add(self, trace: Trace) -> None:
        if self._callback and self._merger and (ready := self._merger.add(*trace)):
            self._callback(ready)

    def finish(self) -> None:
        """No more come, however the run ended."""
        if self._callback and self._merger and (ready := self._merger.rest()):
            self._callback(ready)


class _Output:
    """Keeps the console's output, and passes it on."""

    def __init__(self, callback: Callable[[bytes], None] | None) -> None:
        self.kept = bytearray()
        self._callback = callback
        self._watch: PanicWatch | None = None
        self._session: Session | None = None

    def write(self, data: bytes) -> None:
        self.kept += data[: CONSOLE_KEPT - len(self.kept)]
        if self._watch and self._session and self._watch.look(data):
            self._session.end_within(_PANIC_SECONDS, "panic")
        if self._callback:
            self._callback(data)

    def watch_for_panic(self, session: Session) -> None:
        """The guest is Linux."""
        self._watch, self._session = PanicWatch(), session

    def refuse_panic(self, ended: Ended) -> None:
        """GuestPanicked if that is how it ended: what its kernel said then is not always in what is kept."""
        if not self._watch or not self._watch.seen:
            return
        reason, lines = panic_of(bytes(self.kept))
        error = GuestPanicked(f"the guest's kernel has panicked: {reason or 'see its console'}", details=lines)
        error.statistics = ended.statistics
        raise error


def event_attrs(events: Sequence[Event]) -> tuple[Attr, ...]:
    """What the agent opens for these events. UsageError if there are too many."""
    if len(events) > MAX_AGENT_EVENTS:
        raise UsageError(f"at most {MAX_AGENT_EVENTS} events can be counted at once, and {len(events)} were asked for")
    return tuple(
        Attr(
            event.type,
            event.config,
            event.flags,
            *event.breakpoint,
            sample_period=event.sample_period,
            sample_type=event.sample_type,
            behind_leader=event.behind_leader,
        )
        for event in events
    )


def _result(ended: Ended, why: str, console: bytes, events: Sequence[Event], design: str, path: str | Path) -> Result:
    if ended.reason == "exit_port":
        status, how = ended.status, "exit"
    elif ended.reason == "stopped":
        status, how = -1, why or "stopped"
    else:
        error = _end_error(ended, path)
        error.statistics = ended.statistics
        raise error
    if ended.statistics["oracle_differences"]:
        raise HostError(f"the counts differ from the oracle's {ended.text}")
    if ended.statistics["overflows_lost"] and design != "posted":
        raise HostPanic(f"host panic: overflows were lost or doubled: {ended.statistics['overflows_lost']}")
    counts = tuple(count_of(count, events[count.event]) for count in ended.counts)
    figures = (ended.elapsed_s, ended.statistics, ended.pss_kib, ended.sampled, ended.ring_lost)
    return Result(status, how, console, counts, *figures)


def _end_error(ended: Ended, path: str | Path = "") -> PvperfError:
    """The exception for a VM that ended in no good order, with the guest of that file."""
    who = f"vCPU {ended.vcpu}" if ended.vcpu >= 0 else "the VM"
    if ended.reason == "all_halted":
        return AllHalted("every vCPU is halted, and nothing can wake one" + (f": {ended.text}" if ended.text else ""))
    if ended.reason == "shutdown":
        return GuestShutdown(with_place(f"{who} shut down: {ended.text}", path))
    if ended.reason == "vcpu_died":
        return VcpuDied(f"{who} {ended.text}")
    if ended.reason == "engine_error":
        kind = Unsupported if ended.error == errno.EOPNOTSUPP else HostError  # the guest needs what is not there
        return kind(f"{who}: {ended.text}")
    if ended.reason == "host_panic":
        return HostPanic(f"host panic: {ended.text}")
    kind = OutOfMemory if ended.error == errno.ENOMEM else HostError
    text = ended.text or (os.strerror(ended.error) if ended.error else ended.reason)
    return kind(f"host error on {who}: {text}")
